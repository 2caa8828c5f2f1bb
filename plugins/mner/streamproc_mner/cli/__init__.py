"""Commands that this package adds to `streamproc`."""
