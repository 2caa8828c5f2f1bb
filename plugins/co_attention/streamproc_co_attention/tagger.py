"""The network of AdaCAN and of the co-attention module (CAM)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from streamproc_mner.nn.co_attention import CoAttended, CoAttention
from streamproc_mner.nn.crf import CRF
from streamproc_mner.nn.filtration_gate import FiltrationGate
from streamproc_mner.nn.gated_fusion import GatedFusion
from streamproc_mner.nn.inputs import Inputs, PictureInputs
from streamproc_mner.nn.tagger import Attention, NetworkSettings, Output, Parts, Tagger
from streamproc_mner.nn.text_encoder import TextSettings, TransformerText, reads_of, text_encoder
from streamproc_mner.pictures import CELLS, PictureNeed


class CoAttentionSettings(NetworkSettings):
    """Settings of `CoAttentionTagger`."""

    text: TextSettings = Field(
        default=TransformerText(), description="what makes words' vectors: a transformer or a BiLSTM"
    )
    picture_width: int = Field(default=2048, gt=0, le=8192, description="of a cell's vector")
    picture_dropout: float = Field(default=0.1, ge=0, lt=1, description="of the projected cells")
    attention_width: int = Field(
        default=200, gt=0, le=8192, description="of what words and cells are compared in; costs memory"
    )
    fusion_width: int = Field(
        default=200, gt=0, le=8192, description="of projected cells and of fused vectors"
    )


class CoAttentionTagger(Tagger):
    """AdaCAN of Zhang et al. 2018 (yu2020-umt section 3.2), and CAM of chen2021-wnut section 3.3.

    With the words' vectors h_1 ... h_T, and the cells u_1 ... u_49 of the picture as
    v_i = tanh(W u_i + b), for each word t

        v^_t, h^_t  what the word attends to, in the picture and in the text    `CoAttention`
        m_t         both, fused by a gate                                       `GatedFusion`
        u_t         of that what is no noise                                    `FiltrationGate`
        e_t = W_o [h_t ; u_t] + b_o

    For a post without a picture the filtration gate is shut: u_t = 0, and e_t depends on h_t alone.

    Args:
        settings: of the network.
        labels: BIO labels.
        parts: give the encoder or the vocabulary.
    """

    Settings: ClassVar[type[NetworkSettings]] = CoAttentionSettings

    def __init__(self, settings: CoAttentionSettings, labels: Sequence[str], parts: Parts) -> None:
        need = PictureNeed("grid", settings.picture_width, CELLS)
        super().__init__(settings, labels, parts, reads_of(settings.text, need))
        self.text = text_encoder(settings.text, parts)
        width, fused = self.text.width, settings.fusion_width
        self.cells = nn.Linear(settings.picture_width, fused)
        self.dropout = nn.Dropout(settings.picture_dropout)
        self.attention = CoAttention(width, fused, settings.attention_width)
        self.fusion = GatedFusion(fused, width, fused)
        self.filter = FiltrationGate(width, fused)
        self.output = nn.Linear(width + fused, len(labels))
        self.crf = CRF(labels)

    def forward(self, inputs: Inputs, *, explain: bool = False) -> Output:
        """Emissions of words; as weights both attentions and both gates.

        `visual attention` over the cells and `textual attention` over the words are each word's own.
        `fusion gate` is the picture's share g_t in what is fused, `filtration gate` s_t how much of
        that is kept; both are 0 for a post without a picture.
        """
        words: Tensor = self.text(inputs)
        if inputs.picture is None:
            nothing = words.new_zeros(*words.shape[:2], self.filter.kept.out_features)
            return Output(self._emit(words, nothing))
        attended = self._look(words, inputs.words, inputs.picture)
        fused, share = self.fusion(attended.image, attended.words)
        kept, gate = self.filter(words, fused, inputs.picture.seen)
        weights: Mapping[str, Attention] = {}
        if explain:
            weights = _told(attended, share * inputs.picture.seen[:, None, None], gate)
        return Output(self._emit(words, kept), weights=weights)

    def _look(self, words: Tensor, mask: Tensor, picture: PictureInputs) -> CoAttended:
        cells = self.dropout(self.cells(picture.features).tanh())
        attended: CoAttended = self.attention(words, mask, cells, picture.mask)
        return attended

    def _emit(self, words: Tensor, kept: Tensor) -> Tensor:
        emissions: Tensor = self.output(torch.cat([words, kept], dim=-1))
        return emissions.float()


def _told(attended: CoAttended, share: Tensor, gate: Tensor) -> Mapping[str, Attention]:
    return {
        "visual attention": Attention("cells", attended.image_weights),
        "textual attention": Attention("tokens", attended.word_weights),
        "fusion gate": Attention("gates", share, ("image",)),
        "filtration gate": Attention("gates", gate, ("image and words",)),
    }
