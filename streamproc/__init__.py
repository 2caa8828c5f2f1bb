"""streamproc turns live social posts into tagged named entities, in a stream."""

__version__ = "0.1.0"
