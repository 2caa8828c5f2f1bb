"""The plugin `concat`: a saved BERT-CM-CRF model, served with torch."""

from __future__ import annotations

from typing import ClassVar

from streamproc.fusion.api import API_VERSION, Need
from streamproc_concat import __version__
from streamproc_mner.family import TaggerPlugin


class Concat(TaggerPlugin):
    """Each word with its characters and the whole picture, side by side."""

    name: ClassVar[str] = "concat"
    version: ClassVar[str] = __version__
    api_version: ClassVar[int] = API_VERSION
    modalities = dict.fromkeys(("grid", "global"), Need.OPTIONAL)
    network: ClassVar[str] = "streamproc_concat.tagger:ConcatTagger"
