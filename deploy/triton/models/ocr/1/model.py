"""Runs the engine that this model is named after: `streamproc/triton/model.py`."""

import os
import site

# The stub process that runs this does not read PYTHONPATH.
for folder in filter(None, os.environ.get("STREAMPROC_SITE", "").split(os.pathsep)):
    site.addsitedir(folder)

from streamproc.triton.model import TritonPythonModel  # noqa: E402

__all__ = ["TritonPythonModel"]
