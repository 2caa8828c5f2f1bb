"""A model.py that answers wrongly, as the bytes of the picture tell it; for a model like `grid`."""

import os
import site

for folder in filter(None, os.environ.get("STREAMPROC_SITE", "").split(os.pathsep)):
    site.addsitedir(folder)

import numpy as np  # noqa: E402

from streamproc.triton.tensors import picture_of, response_of  # noqa: E402

GRID = np.zeros((49, 2048), np.float16)
ANSWERS = {
    b"right": ("1", {"grid": GRID}),
    b"": ("1", {}),
    b"shape": ("1", {"grid": GRID[:48]}),
    b"width": ("1", {"grid": GRID[:, :1024]}),
    b"NaN": ("1", {"grid": GRID + np.float16("nan")}),
    b"type": ("1", {"grid": GRID.astype(np.float32)}),
    b"nothing": ("1", {}),
    b"empty": ("1", {"grid": GRID[:0]}),
    b"no version": ("", {"grid": GRID}),
}


class TritonPythonModel:
    def execute(self, requests):
        return [response_of(*ANSWERS[picture_of(request)]) for request in requests]
