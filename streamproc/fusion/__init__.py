"""The plugin API: what a model plugin is, how it is found, how it is run."""

from streamproc.fusion.api import (
    API_VERSION,
    Explanation,
    FusionInput,
    FusionModel,
    FusionPlugin,
    ModelPackage,
    Need,
    Tagging,
)

__all__ = [
    "API_VERSION",
    "Explanation",
    "FusionInput",
    "FusionModel",
    "FusionPlugin",
    "ModelPackage",
    "Need",
    "Tagging",
]
