"""Decoding files of strangers. A decoder process imports what is here: keep it empty."""
