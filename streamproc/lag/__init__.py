"""Watching how far the stream is behind."""

from streamproc.lag.probe import PartitionLag, probe

__all__ = ["PartitionLag", "probe"]
