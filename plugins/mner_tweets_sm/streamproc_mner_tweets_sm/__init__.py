"""The default model of streamproc: a folder with weights, and what plugin serves it."""

from pathlib import Path

from streamproc.fusion.api import ModelPackage

__version__ = "0.1.0"

MODEL = ModelPackage(
    plugin="mner-onnx",
    folder=Path(__file__).parent / "model",
    notice="mner-tweets-sm was trained on twitter2015 and twitter2017, which are for research use: "
    "use it for research.",
)
