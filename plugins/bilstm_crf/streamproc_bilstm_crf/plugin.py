"""The plugin `bilstm-crf`: a saved BiLSTM-CRF, with or without a picture, served with torch."""

from __future__ import annotations

from typing import ClassVar

from streamproc.fusion.api import API_VERSION, Need
from streamproc_bilstm_crf import __version__
from streamproc_mner.family import TaggerPlugin


class BiLstmCrf(TaggerPlugin):
    """Words, characters and one vector of the picture, weighed for each word or side by side."""

    name: ClassVar[str] = "bilstm-crf"
    version: ClassVar[str] = __version__
    api_version: ClassVar[int] = API_VERSION
    modalities = dict.fromkeys(("global",), Need.OPTIONAL)
    network: ClassVar[str] = "streamproc_bilstm_crf.tagger:BiLstmTagger"
