"""An exported network in 8-bit integers: quicker, and a little less exact.

Static: what an activation is rounded to is fixed when the file is made, so a post's result does not
depend on the batch it is in. Making one needs the `[train]` extra; serving one does not.
"""
