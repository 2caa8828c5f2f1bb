"""The plugin `bert-crf`: a saved BERT-CRF or BERT-softmax model, served with torch."""

from __future__ import annotations

from typing import ClassVar

from streamproc.fusion.api import API_VERSION, Need
from streamproc_bert_crf import __version__
from streamproc_mner.data.visual_context import KINDS
from streamproc_mner.family import TaggerPlugin


class BertCrf(TaggerPlugin):
    """Text, with typed visual context in the input where the model was trained on it."""

    name: ClassVar[str] = "bert-crf"
    version: ClassVar[str] = __version__
    api_version: ClassVar[int] = API_VERSION
    modalities = dict.fromkeys(KINDS, Need.OPTIONAL)
    network: ClassVar[str] = "streamproc_bert_crf.tagger:BertTagger"
