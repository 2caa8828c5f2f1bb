"""An encoder over a post and its visual context, and a CRF: BERT-CRF, and the network of ITA."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from streamproc_mner.collate import KIND_IDS
from streamproc_mner.data.visual_context import Kind
from streamproc_mner.nn.crf import CRF
from streamproc_mner.nn.inputs import Inputs
from streamproc_mner.nn.softmax_head import SoftmaxHead
from streamproc_mner.nn.subtoken_labels import FirstSubtokens, SubtokenLabels
from streamproc_mner.nn.tagger import NetworkSettings, Output, Parts, Reads, Tagger
from streamproc_mner.nn.word_shape import WordShapeEmbedding
from streamproc_mner.words import SHAPE_SIZES


class ContextTaggerSettings(NetworkSettings):
    """Settings of `ContextTagger`."""

    encoder: str = Field(default="bert-base-cased", description="a transformer, by name or folder")
    head: Literal["crf", "softmax"] = Field(
        default="crf", description="softmax: labels do not depend on each other"
    )
    context: tuple[Kind, ...] = Field(
        default=(), description="visual context behind the post: alt, ocr, captions, objects"
    )
    kind_embedding: bool = Field(default=False, description="tell the encoder the kind of each sub-token")
    word_shapes: bool = Field(
        default=False, description="tell the network how words are written, for uncased encoders"
    )
    dropout: float = Field(default=0.1, ge=0, lt=1, description="before the output layer")


class ContextTagger(Tagger):
    """Emissions from `[CLS] post [SEP] visual context [SEP]`; the CRF sees the post's words only.

    With the encoder's output r_i for the first sub-token of word i, e_i = W dropout(r_i) + b are
    the emissions of the word (wang2022-ita section 2.1; "BERT + CRF + Captions" of
    chen2020-captions).

    Two things are ours. With `kind_embedding` a vector for its kind (post, alt text, OCR, ...) is
    added to each sub-token's embedding, at first 0. With `word_shapes` one for its shape is added to
    each word's first, which also has a direct say in the emissions.

    Args:
        settings: of the network.
        labels: BIO labels.
        parts: give the encoder.
        reads: what it reads; by default the post and the settings' `context`.
        subtokens: which of them carry labels; by default each word's first.
    """

    Settings: ClassVar[type[NetworkSettings]] = ContextTaggerSettings

    def __init__(
        self,
        settings: ContextTaggerSettings,
        labels: Sequence[str],
        parts: Parts,
        reads: Reads | None = None,
        subtokens: SubtokenLabels | None = None,
    ) -> None:
        super().__init__(settings, labels, parts, reads or Reads(kinds=settings.context))
        self.encoder = parts.encoder(settings.encoder)
        width = int(self.encoder.config.hidden_size)
        self.kind = nn.Embedding(len(KIND_IDS) + 1, width) if settings.kind_embedding else None
        if self.kind is not None:
            nn.init.zeros_(self.kind.weight)
        shaped = settings.word_shapes
        self.shape = WordShapeEmbedding(SHAPE_SIZES, width) if shaped else None
        self.dropout = nn.Dropout(settings.dropout)
        self.subtokens = subtokens or FirstSubtokens(labels)
        names = self.subtokens.labels
        self.output = nn.Linear(width, len(names))
        self.shape_output = WordShapeEmbedding(SHAPE_SIZES, len(names)) if shaped else None
        self.crf = CRF(names) if settings.head == "crf" else SoftmaxHead(names)

    def forward(self, inputs: Inputs, *, explain: bool = False) -> Output:
        """Emissions of words. Nothing is explained: a transformer's attention over words is no account."""
        emissions = self.position_emissions(inputs.ids, inputs.mask, inputs.kinds, inputs.shapes)
        return self.subtokens.output(emissions, inputs)

    def position_emissions(self, ids: Tensor, mask: Tensor, kinds: Tensor, shapes: Tensor) -> Tensor:
        """(B, S, L) emissions of all sub-tokens, float32; see `streamproc_mner.windows.Batch`."""
        hidden = self.encoder(inputs_embeds=self.embed(ids, kinds, shapes), attention_mask=mask)
        return self.emit(hidden.last_hidden_state, shapes)

    def embed(self, ids: Tensor, kinds: Tensor, shapes: Tensor) -> Tensor:
        """(B, S, W): what the encoder reads at each position."""
        embedded: Tensor = self.encoder.get_input_embeddings()(ids)
        if self.kind is not None:
            embedded = embedded + self.kind(kinds)
        if self.shape is not None:
            embedded = embedded + self.shape(shapes)
        return embedded

    def emit(self, hidden: Tensor, shapes: Tensor) -> Tensor:
        """(B, S, W) of the encoder to (B, S, L)."""
        emissions: Tensor = self.output(self.dropout(hidden)).float()
        return emissions if self.shape_output is None else emissions + self.shape_output(shapes)
