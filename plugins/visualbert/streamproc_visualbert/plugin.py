"""The plugin `visualbert`: a saved VisualBERT tagger, served with torch."""

from __future__ import annotations

from typing import ClassVar

from streamproc.fusion.api import API_VERSION, Need
from streamproc_mner.data.visual_context import KINDS
from streamproc_mner.family import TaggerPlugin
from streamproc_visualbert import __version__


class VisualBert(TaggerPlugin):
    """Text, typed visual context and regions, one forward for posts with pictures and posts without."""

    name: ClassVar[str] = "visualbert"
    version: ClassVar[str] = __version__
    api_version: ClassVar[int] = API_VERSION
    modalities = dict.fromkeys((*KINDS, "regions"), Need.OPTIONAL)
    network: ClassVar[str] = "streamproc_visualbert.tagger:VisualBertTagger"
