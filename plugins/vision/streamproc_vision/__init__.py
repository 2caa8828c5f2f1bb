"""Networks that look at pictures, as engines of streamproc."""

__version__ = "0.1.0"
