"""Brokers: the embedded one, connecting to real ones, and their topics."""
