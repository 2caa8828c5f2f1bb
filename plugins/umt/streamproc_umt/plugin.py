"""The plugin `umt`: a saved UMT model (yu2020-umt), served with torch."""

from __future__ import annotations

from typing import ClassVar

from streamproc.fusion.api import API_VERSION, Need
from streamproc_mner.family import TaggerPlugin
from streamproc_umt import __version__


class Umt(TaggerPlugin):
    """Text and the cells of a picture, one forward for posts with pictures and posts without."""

    name: ClassVar[str] = "umt"
    version: ClassVar[str] = __version__
    api_version: ClassVar[int] = API_VERSION
    modalities = dict.fromkeys(("grid",), Need.OPTIONAL)
    network: ClassVar[str] = "streamproc_umt.tagger:UmtTagger"
