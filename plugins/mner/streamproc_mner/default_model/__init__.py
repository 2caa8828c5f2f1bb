"""Makes the default model: training, export, and its card. `python -m streamproc_mner.default_model`."""
