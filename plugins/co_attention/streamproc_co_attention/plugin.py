"""The plugin `co-attention`: a saved AdaCAN or CAM model, served with torch."""

from __future__ import annotations

from typing import ClassVar

from streamproc.fusion.api import API_VERSION, Need
from streamproc_co_attention import __version__
from streamproc_mner.family import TaggerPlugin


class CoAttention(TaggerPlugin):
    """Each word looks at the picture and at the other words; a gate filters out noise."""

    name: ClassVar[str] = "co-attention"
    version: ClassVar[str] = __version__
    api_version: ClassVar[int] = API_VERSION
    modalities = dict.fromkeys(("grid",), Need.OPTIONAL)
    network: ClassVar[str] = "streamproc_co_attention.tagger:CoAttentionTagger"
