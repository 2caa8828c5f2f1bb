"""The network of UMT (yu2020-umt), whole and with parts taken out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from streamproc.errors import PluginError
from streamproc_mner.decoding import CrfScores
from streamproc_mner.nn.conversion import Conversion
from streamproc_mner.nn.crf import CRF
from streamproc_mner.nn.cross_modal import CrossModalLayer, ImageAwareWords
from streamproc_mner.nn.inputs import Inputs, at_words
from streamproc_mner.nn.picture_cells import PictureCells
from streamproc_mner.nn.span_detection import SpanDetection
from streamproc_mner.nn.subtoken_labels import LabelPlacing, subtoken_labels
from streamproc_mner.nn.tagger import Attention, NetworkSettings, Output, Parts, Reads, Tagger
from streamproc_mner.nn.visual_gate import VisualGate
from streamproc_mner.pictures import CELLS, PictureNeed


class UmtSettings(NetworkSettings):
    """Settings of `UmtTagger`."""

    encoder: str = Field(default="bert-base-cased", description="a transformer, by name or folder")
    picture_width: int = Field(default=2048, gt=0, le=8192, description="of a cell's vector")
    heads: int = Field(
        default=12, gt=0, le=8192, description="of each attention; they share the encoder's width"
    )
    feed_forward: int = Field(
        default=3072, gt=0, le=8192, description="width inside the feed-forward networks"
    )
    dropout: float = Field(default=0.1, ge=0, lt=1, description="of the layers behind the encoder")
    image_aware: bool = Field(
        default=True, description="words that have seen the picture; else the text's own words"
    )
    visual_gate: bool = Field(default=True, description="words choose how much of the picture they take")
    span_detection: Literal["off", "auxiliary", "conversion", "fixed-conversion"] = Field(
        default="conversion",
        description="find spans without types from the text: not; as a second task; and let them guide "
        "the labels through a conversion matrix, trained or fixed",
    )
    span_weight: float = Field(default=0.5, ge=0, description="of the second task in the loss")
    labels: LabelPlacing = Field(
        default="first",
        description="first: of each word's sub-tokens; pad-as-authors: the others are labelled PAD, as "
        "in the authors' code (Table 3 of Wang et al. 2022)",
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Scored:
    """Emissions (B, S, Y) and, with span detection, (B, S, Z) of all sub-tokens."""

    emissions: Tensor
    spans: Tensor | None
    weights: dict[str, Attention]


class UmtTagger(Tagger):
    """Unified Multimodal Transformer (yu2020-umt section 2).

        C = encoder([CLS] post [SEP]),  V = W_u^T U                  (section 2.2)
        R = Transformer(C)
        A = CMT'(R, CMT(V, R)),  Q = CMT''(R, V)                     (eq. 1 and 2)
        B = g * Q,  g = sigmoid(W_a^T A + W_q^T Q)                   (eq. 3)
        T = Transformer'(C)
        e_i = W_MNER [a_i; b_i] + (W_ESD t_i) W^c                    (eq. 6 and 7)

    with a CRF over e and one over W_ESD t, whose losses are L = L_MNER + lambda L_ESD. Eq. 7 is
    mended: see `Conversion`. Without `image_aware` R stands for A; without `visual_gate` B = Q.

    A post without a picture has one learned cell instead of 49: see `PictureCells`. It is the same
    in every batch.

    Args:
        settings: of the network.
        labels: BIO labels.
        parts: give the encoder.

    Raises:
        PluginError: the encoder's width is not a multiple of `heads`.
    """

    Settings: ClassVar[type[NetworkSettings]] = UmtSettings

    def __init__(self, settings: UmtSettings, labels: Sequence[str], parts: Parts) -> None:
        reads = Reads(picture=PictureNeed("grid", settings.picture_width, CELLS))
        super().__init__(settings, labels, parts, reads)
        self.encoder = parts.encoder(settings.encoder)
        width = int(self.encoder.config.hidden_size)
        if width % settings.heads:
            raise PluginError(
                f"heads: {settings.heads} do not divide the encoder's width of {width}: set one that does"
            )

        def layer() -> CrossModalLayer:
            return CrossModalLayer(width, settings.heads, settings.feed_forward, settings.dropout)

        self.dropout = nn.Dropout(settings.dropout)
        self.text = layer()
        self.cells = PictureCells(settings.picture_width, width)
        self.image_aware = ImageAwareWords(layer(), layer()) if settings.image_aware else None
        self.word_aware = layer()
        self.gate = VisualGate(width) if settings.visual_gate else None
        self.subtokens = subtoken_labels(settings.labels, labels)
        self.output = nn.Linear(2 * width, len(self.subtokens.labels))
        self.crf = CRF(self.subtokens.labels)
        self.span_weight = settings.span_weight
        chosen = settings.span_detection
        self.spans = SpanDetection(layer(), width, labels, settings.labels) if chosen != "off" else None
        self.conversion = None
        if self.spans is not None and chosen != "auxiliary":
            names = (self.spans.labels, self.subtokens.labels)
            self.conversion = Conversion(*names, trained=chosen == "conversion")

    def forward(self, inputs: Inputs, *, explain: bool = False) -> Output:
        """Emissions of words.

        Explained are `word-aware visual attention` (that of Q over the cells), `image-aware word
        attention` (that of A over what the cells have seen of the words), both as means over
        heads, and `visual gate`, the mean of g.
        """
        scored = self._score(inputs, explain=explain)
        return self.subtokens.output(scored.emissions, inputs, scored.weights)

    def loss(self, inputs: Inputs, gold: Tensor, text: Inputs | None = None) -> Tensor:
        """L = L_MNER + lambda L_ESD, negative log-likelihoods, each a mean over posts (section 2.5)."""
        scored = self._score(inputs, explain=False)
        likelihood = self.subtokens.log_likelihood(self.crf, scored.emissions, gold, inputs)
        if self.spans is not None and scored.spans is not None:
            spans = self.spans.log_likelihood(scored.spans, gold, inputs)
            likelihood = likelihood + self.span_weight * spans
        return -likelihood.mean()

    @property
    def crf_scores(self) -> CrfScores:
        return self.subtokens.scores(self.crf)

    def _score(self, inputs: Inputs, *, explain: bool) -> _Scored:
        mask = inputs.mask.bool()
        hidden = self.encoder(input_ids=inputs.ids, attention_mask=inputs.mask).last_hidden_state
        encoded = self.dropout(hidden)
        emissions, weights = self._interact(encoded, mask, inputs, explain=explain)
        spans = self.spans(encoded, mask) if self.spans is not None else None
        if self.conversion is not None:
            emissions = emissions + self.conversion(spans)
        return _Scored(emissions, spans, weights)

    def _interact(
        self, encoded: Tensor, mask: Tensor, inputs: Inputs, *, explain: bool
    ) -> tuple[Tensor, dict[str, Attention]]:
        """(B, S, Y) W_MNER [a; b] float32, and how they came about."""
        words, _ = self.text(encoded, encoded, mask)
        cells, cell_mask = self.cells(inputs.picture, len(mask))
        seen, over_cells = self.word_aware(words, cells, cell_mask, explain=explain)
        aware, over_seen, gate = words, None, None
        if self.image_aware is not None:
            aware, over_seen = self.image_aware(words, mask, cells, cell_mask, explain=explain)
        if self.gate is not None:
            seen, gate = self.gate(aware, seen)
        emissions: Tensor = self.output(torch.cat([aware, seen], dim=-1)).float()
        weights: dict[str, Attention] = {}
        if explain:
            if over_cells is not None:
                weights["word-aware visual attention"] = _of_words("cells", over_cells, inputs)
            if over_seen is not None:
                weights["image-aware word attention"] = _of_words("cells", over_seen, inputs)
            if gate is not None:
                opened = gate.mean(dim=-1, keepdim=True)
                weights["visual gate"] = _of_words("gates", opened, inputs, "image")
        return emissions, weights


def _of_words(over: Literal["cells", "gates"], values: Tensor, inputs: Inputs, *columns: str) -> Attention:
    return Attention(over, at_words(values, inputs.firsts), columns, of_picture=True)
