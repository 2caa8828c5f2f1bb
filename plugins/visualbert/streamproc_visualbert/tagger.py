"""The networks of VisualBERT: alone, with regions, with captions, and beside BERT."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from transformers import PreTrainedModel

from streamproc.errors import PluginError
from streamproc_mner.data.visual_context import Kind
from streamproc_mner.nn.crf import CRF
from streamproc_mner.nn.inputs import Inputs, at_words
from streamproc_mner.nn.tagger import Attention, NetworkSettings, Output, Parts, Reads, Tagger
from streamproc_mner.nn.text_region_encoder import TextRegionEncoder, TextRegionStates
from streamproc_mner.nn.transformer_attention import attention_to_regions
from streamproc_mner.pictures import PictureNeed


class VisualBertSettings(NetworkSettings):
    """Settings of `VisualBertTagger`."""

    encoder: str = Field(
        default="uclanlp/visualbert-vqa-coco-pre", description="a VisualBERT, by name or folder"
    )
    text_encoder: str | None = Field(
        default=None,
        description="a transformer for text beside it, tuned together with it, that reads the same "
        "sub-tokens: bert-base-uncased",
    )
    picture: Literal["none", "regions"] = Field(
        default="none", description="regions: those of the picture, behind the text in the same stream"
    )
    picture_width: int = Field(default=1024, gt=0, le=8192, description="of a region's features")
    most_regions: int = Field(
        default=36, gt=0, le=8192, description="regions of a picture that are read, the surest first"
    )
    context: tuple[Kind, ...] = Field(
        default=(), description="visual context behind the post: alt, ocr, captions, objects"
    )
    dropout: float = Field(default=0.1, ge=0, lt=1, description="before the output layer")


class VisualBertTagger(Tagger):
    """VisualBERT + CRF of chen2021-wnut section 3.2, and the baselines `VL-CRF` of wang2022-ita.

    With the states r_i of VisualBERT at the first sub-token of word i (see `TextRegionEncoder`),

        e_i = W dropout(r_i) + b

    Alone it is `VisualBERT + CRF`, with `picture = regions` `VisualBERT + TAM + CRF` (the transformer's
    own attention brings the regions to the words) and wang2022-ita's vision-language encoder, with
    `context = captions` `VisualBERT + CRF + Captions`. With a `text_encoder`, whose states are t_i,

        e_i = W dropout([r_i ; t_i]) + b

    (wang2022-ita, `BERT+VinVL-CRF`). Both read the same sub-tokens, and VisualBERT's are uncased: so
    is the BERT beside it.

    A post without a picture has no regions to attend to: all of them are masked, and it is read as
    text alone. Of the regions 36 are read at most; they need no positions, so that a window of text
    may be as long as the encoder takes.

    Explained are `transformer attention`, of each word over the regions, and `attention to the picture`,
    the share of the text and of the picture in it; both of the last layer, the mean of its heads.

    Args:
        settings: of the network.
        labels: BIO labels.
        parts: give the encoders.
    """

    Settings: ClassVar[type[NetworkSettings]] = VisualBertSettings

    def __init__(self, settings: VisualBertSettings, labels: Sequence[str], parts: Parts) -> None:
        need = None
        if settings.picture == "regions":
            need = PictureNeed("regions", settings.picture_width, settings.most_regions)
        super().__init__(settings, labels, parts, Reads(kinds=settings.context, picture=need))
        pretrained = parts.encoder(settings.encoder, "vision-language")
        self.visual = TextRegionEncoder(pretrained, need.width if need else None, settings.encoder)
        width = self.visual.width
        self.text: PreTrainedModel | None = None
        if settings.text_encoder is not None:
            self.text = parts.encoder(settings.text_encoder)
            _check_same_subtokens(settings, pretrained, self.text)
            width += int(self.text.config.hidden_size)
        self.dropout = nn.Dropout(settings.dropout)
        self.output = nn.Linear(width, len(labels))
        self.crf = CRF(labels)

    def forward(self, inputs: Inputs, *, explain: bool = False) -> Output:
        """Emissions of words."""
        states = self.visual(inputs, explain=explain)
        words = at_words(states.text, inputs.firsts)
        if self.text is not None:
            beside = self.text(input_ids=inputs.ids, attention_mask=inputs.mask).last_hidden_state
            words = torch.cat([words, at_words(beside, inputs.firsts)], dim=-1)
        emissions: Tensor = self.output(self.dropout(words))
        return Output(emissions.float(), weights=_weights(inputs, states) if explain else {})


def _weights(inputs: Inputs, states: TextRegionStates) -> dict[str, Attention]:
    if inputs.picture is None or states.attention is None:
        return {}
    regions, shares = attention_to_regions(
        states.attention, inputs.firsts, inputs.picture.features.shape[1]
    )
    return {
        "transformer attention": Attention("regions", regions),
        "attention to the picture": Attention("modalities", shares, ("text", "picture")),
    }


def _check_same_subtokens(
    settings: VisualBertSettings, visual: PreTrainedModel, text: PreTrainedModel
) -> None:
    if visual.config.vocab_size != text.config.vocab_size:
        raise PluginError(
            f"text_encoder {settings.text_encoder!r} has {text.config.vocab_size} sub-tokens, encoder "
            f"{settings.encoder!r} {visual.config.vocab_size}: they read the same ones, so take one with "
            "the same vocabulary, for VisualBERT bert-base-uncased"
        )
