"""The network of GVATT and of the visual attention module (VAM)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from streamproc_mner.nn.additive_attention import AdditiveAttention
from streamproc_mner.nn.crf import CRF
from streamproc_mner.nn.inputs import Inputs
from streamproc_mner.nn.modulation_gate import ModulationGate
from streamproc_mner.nn.picture_cells import PictureCells
from streamproc_mner.nn.tagger import Attention, NetworkSettings, Output, Parts, Tagger
from streamproc_mner.nn.text_encoder import TextSettings, TransformerText, reads_of, text_encoder
from streamproc_mner.nn.text_query import TextQuery
from streamproc_mner.pictures import CELLS, PictureNeed


class VisualAttentionSettings(NetworkSettings):
    """Settings of `VisualAttentionTagger`."""

    text: TextSettings = Field(
        default=TransformerText(), description="what makes words' vectors: a transformer or a BiLSTM"
    )
    picture_width: int = Field(default=2048, gt=0, le=8192, description="of a cell's vector")
    picture_dropout: float = Field(default=0.1, ge=0, lt=1, description="of the projected cells")
    query_width: int = Field(default=200, gt=0, le=8192, description="of the text's query, an LSTM's state")
    attention_width: int = Field(
        default=200, gt=0, le=8192, description="of what the query and the cells are compared in"
    )


class VisualAttentionTagger(Tagger):
    """GVATT of Lu et al. 2018 (yu2020-umt section 3.2), and VAM of chen2021-wnut section 3.3.

    With the words' vectors h_1 ... h_T, and the cells v_1 ... v_49 of the picture projected to their
    width, the post as a whole asks once and each word has its own gate:

        q   = last state of LSTM(h_1 ... h_T)               `TextQuery`
        a   = softmax(w . tanh(W_q q + b_q + W_k v_i))      `AdditiveAttention`
        v_c = sum_i a_i v_i
        w_t = beta_w * h_t + beta_v * m_t                   `ModulationGate`
        e_t = W_o w_t + b_o

    A post without a picture has one learned cell in its place (`PictureCells`), which is v_c then.

    Args:
        settings: of the network.
        labels: BIO labels.
        parts: give the encoder or the vocabulary.
    """

    Settings: ClassVar[type[NetworkSettings]] = VisualAttentionSettings

    def __init__(self, settings: VisualAttentionSettings, labels: Sequence[str], parts: Parts) -> None:
        need = PictureNeed("grid", settings.picture_width, CELLS)
        super().__init__(settings, labels, parts, reads_of(settings.text, need))
        self.text = text_encoder(settings.text, parts)
        width = self.text.width
        self.cells = PictureCells(settings.picture_width, width)
        self.dropout = nn.Dropout(settings.picture_dropout)
        self.query = TextQuery(width, settings.query_width)
        self.attention = AdditiveAttention(settings.query_width, width, settings.attention_width)
        self.gate = ModulationGate(width, width)
        self.output = nn.Linear(width, len(labels))
        self.crf = CRF(labels)

    def forward(self, inputs: Inputs, *, explain: bool = False) -> Output:
        """Emissions of words; as weights the `visual attention` and the `visual gate`.

        All words of a window have the same attention: it is the text's. The gate's values are means
        of beta_w (`words`) and beta_v (`image`) over their numbers.
        """
        words: Tensor = self.text(inputs)
        cells, mask = self.cells(inputs.picture, len(words))
        cells = self.dropout(cells)
        query = self.query(words, inputs.words).unsqueeze(1)
        attention = self.attention(query, cells, mask)
        fused, word_gate, image_gate = self.gate(words, (attention @ cells).squeeze(1))
        emissions = self.output(fused).float()
        if not explain:
            return Output(emissions)
        gates = torch.stack([word_gate.mean(dim=-1), image_gate.mean(dim=-1)], dim=-1)
        weights = {
            "visual attention": Attention("cells", attention.expand(-1, words.shape[1], -1)),
            "visual gate": Attention("gates", gates, ("words", "image"), of_picture=True),
        }
        return Output(emissions, weights=weights)
