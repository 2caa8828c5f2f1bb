"""Training taggers; needs the [train] extra."""
