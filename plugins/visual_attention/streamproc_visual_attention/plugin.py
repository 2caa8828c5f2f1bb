"""The plugin `visual-attention`: a saved GVATT or VAM model, served with torch."""

from __future__ import annotations

from typing import ClassVar

from streamproc.fusion.api import API_VERSION, Need
from streamproc_mner.family import TaggerPlugin
from streamproc_visual_attention import __version__


class VisualAttention(TaggerPlugin):
    """The text looks at the picture once; a gate brings what it saw into each word."""

    name: ClassVar[str] = "visual-attention"
    version: ClassVar[str] = __version__
    api_version: ClassVar[int] = API_VERSION
    modalities = dict.fromkeys(("grid",), Need.OPTIONAL)
    network: ClassVar[str] = "streamproc_visual_attention.tagger:VisualAttentionTagger"
