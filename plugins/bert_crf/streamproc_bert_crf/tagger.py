"""The network of BERT-CRF and BERT-softmax."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field
from torch import Tensor

from streamproc_mner.decoding import CrfScores
from streamproc_mner.nn.context_tagger import ContextTagger, ContextTaggerSettings
from streamproc_mner.nn.inputs import Inputs
from streamproc_mner.nn.subtoken_labels import LabelPlacing, subtoken_labels
from streamproc_mner.nn.tagger import NetworkSettings, Parts


class BertCrfSettings(ContextTaggerSettings):
    """Settings of `BertTagger`."""

    labels: LabelPlacing = Field(
        default="first",
        description="first: of each word's sub-tokens; pad-as-authors: the others are labelled PAD, as "
        "in the code of UMT (Table 3 of Wang et al. 2022)",
    )


class BertTagger(ContextTagger):
    """A transformer over the post, with visual context behind it or not, and a head over words.

    Args:
        settings: of the network.
        labels: BIO labels.
        parts: give the encoder.
    """

    Settings: ClassVar[type[NetworkSettings]] = BertCrfSettings

    def __init__(self, settings: BertCrfSettings, labels: Sequence[str], parts: Parts) -> None:
        super().__init__(settings, labels, parts, subtokens=subtoken_labels(settings.labels, labels))

    def loss(self, inputs: Inputs, gold: Tensor, text: Inputs | None = None) -> Tensor:
        """The CRF's negative log-likelihood, over words or over all the post's sub-tokens."""
        emissions = self.position_emissions(inputs.ids, inputs.mask, inputs.kinds, inputs.shapes)
        return -self.subtokens.log_likelihood(self.crf, emissions, gold, inputs).mean()

    @property
    def crf_scores(self) -> CrfScores:
        return self.subtokens.scores(self.crf)
