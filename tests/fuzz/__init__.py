"""Any input at all is taken, or refused with the error that is documented for it.

A short run belongs to the tests; `make fuzz` is the long one.
"""
