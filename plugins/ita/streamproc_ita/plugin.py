"""The plugin `ita`: a saved ITA model (wang2022-ita), served with torch."""

from __future__ import annotations

from typing import ClassVar

from streamproc.fusion.api import API_VERSION, Need
from streamproc_ita import __version__
from streamproc_mner.data.visual_context import KINDS
from streamproc_mner.family import TaggerPlugin


class Ita(TaggerPlugin):
    """Text and typed visual context, one forward for posts with pictures and posts without."""

    name: ClassVar[str] = "ita"
    version: ClassVar[str] = __version__
    api_version: ClassVar[int] = API_VERSION
    modalities = dict.fromkeys((*KINDS, "grid"), Need.OPTIONAL)
    network: ClassVar[str] = "streamproc_ita.tagger:ItaTagger"
