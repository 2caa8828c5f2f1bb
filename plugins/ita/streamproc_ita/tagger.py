"""The network and the training objective of ITA (wang2022-ita)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from streamproc_mner.nn.context_tagger import ContextTagger, ContextTaggerSettings
from streamproc_mner.nn.inputs import Inputs, PictureInputs, at_words
from streamproc_mner.nn.positions import first_position
from streamproc_mner.nn.tagger import NetworkSettings, Output, Parts, Reads
from streamproc_mner.pictures import CELLS, PictureNeed
from streamproc_mner.training.batches import Target
from streamproc_mner.training.objective import ita_loss


class ItaSettings(ContextTaggerSettings):
    """Settings of `ItaTagger`."""

    objective: Literal["image+text", "joint", "cross-view-alignment"] = Field(
        default="cross-view-alignment",
        description="trained on posts with their pictures; on both views; on both, the text view "
        "also on what the other says",
    )
    picture: Literal["none", "grid"] = Field(
        default="none", description="grid: the picture's cells, projected, as sub-tokens of their own"
    )
    picture_width: int = Field(default=2048, gt=0, le=8192, description="of a cell's vector")


class ItaTagger(ContextTagger):
    """`ContextTagger` trained on two views.

    With the loss of the text view L_T (eq. 1), of the image+text view L_I+T (eq. 2) and their
    alignment L_CVA (eq. 4 and 5): `image+text` L = L_I+T, `joint` L = L_T + L_I+T,
    `cross-view-alignment` L = L_T + L_I+T + L_CVA.

    With `picture = grid` (`BERT-CRF +ImgFeat`, section 3.3) the 49 cells of the picture, projected
    to the encoder's width, stand behind the text: v_j = W_v u_j + b. All of them have the one position
    behind the text's last: what a cell shows is told by its vector, where it lies is not. A post
    without a picture has no such sub-tokens: they are masked.

    Args:
        settings: of the network.
        labels: BIO labels.
        parts: give the encoder.
    """

    Settings: ClassVar[type[NetworkSettings]] = ItaSettings

    def __init__(self, settings: ItaSettings, labels: Sequence[str], parts: Parts) -> None:
        need = PictureNeed("grid", settings.picture_width, CELLS) if settings.picture == "grid" else None
        super().__init__(settings, labels, parts, Reads(kinds=settings.context, picture=need))
        self.objective = settings.objective
        width = int(self.encoder.config.hidden_size)
        self.cells = nn.Linear(settings.picture_width, width) if need else None

    def forward(self, inputs: Inputs, *, explain: bool = False) -> Output:
        """Emissions of words."""
        if self.cells is None or inputs.picture is None:
            return super().forward(inputs, explain=explain)
        embedded, mask, places = self._with_cells(inputs, inputs.picture, self.cells)
        hidden = self.encoder(inputs_embeds=embedded, attention_mask=mask, position_ids=places)
        emissions = self.emit(hidden.last_hidden_state[:, : inputs.ids.shape[1]], inputs.shapes)
        return Output(at_words(emissions, inputs.firsts))

    def _with_cells(
        self, inputs: Inputs, picture: PictureInputs, project: nn.Linear
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What the encoder reads (B, S + N, W), its mask, and the positions (B, S + N)."""
        text = self.embed(inputs.ids, inputs.kinds, inputs.shapes)
        embedded = torch.cat([text, project(picture.features).to(text.dtype)], dim=1)
        mask = torch.cat([inputs.mask, picture.mask.to(inputs.mask.dtype)], dim=1)
        rows, length = inputs.ids.shape
        own = torch.arange(length, device=mask.device).expand(rows, -1)
        behind = inputs.mask.sum(dim=1, keepdim=True).expand(-1, picture.mask.shape[1])
        places = torch.cat([own, behind], dim=1) + first_position(self.encoder)
        last = int(self.encoder.config.max_position_embeddings) - 1
        return embedded, mask, places.clamp(max=last)

    def loss(self, inputs: Inputs, gold: Tensor, text: Inputs | None = None) -> Tensor:
        """The objective that the settings name; see the class."""
        if text is None or self.objective == "image+text":
            return super().loss(inputs, gold)
        rows = torch.arange(len(inputs.ids), device=gold.device)
        aligned = self.objective == "cross-view-alignment"
        return ita_loss(self, text, inputs, Target(gold, text.words), rows, aligned=aligned)

    @property
    def trains_on_both_views(self) -> bool:
        return self.objective != "image+text"
