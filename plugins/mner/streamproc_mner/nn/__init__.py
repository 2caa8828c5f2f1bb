"""Blocks of which taggers are built; all need torch."""
