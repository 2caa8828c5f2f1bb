"""`streamproc plugins new`: the template of a plugin package, and what writes it."""
