"""`streamproc demo`: sample posts through a real worker, to watch."""
