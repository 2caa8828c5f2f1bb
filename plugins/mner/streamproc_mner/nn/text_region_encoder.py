"""VisualBERT: one transformer over a post's sub-tokens and the regions of its picture."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from transformers import PreTrainedModel

from streamproc.errors import PluginError
from streamproc_mner.nn.inputs import Inputs


@dataclass(frozen=True, slots=True, eq=False)
class TextRegionStates:
    """What the encoder gives.

    Attributes:
        text: (B, S, W) of the sub-tokens.
        attention: (B, H, S + N, S + N) of the last layer, where it was asked for.
    """

    text: Tensor
    attention: Tensor | None


class TextRegionEncoder(nn.Module):
    """VisualBERT in a single stream (Li et al. 2019 section 3; chen2021-wnut section 3.2).

    With sub-tokens w_1 .. w_S and region features u_1 .. u_N it reads

        x_i = E_word(w_i) + E_position(i) + E_type(0)
        v_j = W_v (W_p u_j + b_p) + b_v + E'_position(0) + E'_type(1)
        h   = Transformer(LayerNorm([x_1 .. x_S ; v_1 .. v_N]))

    The regions have no order: all have the position 0 of a table of their own, so that they take no
    room from the text. Regions that are not there are masked as keys; a post without a picture is
    read as text alone.

    W_p is ours. Where the regions have the width that the encoder was pretrained on there is none;
    where they have another it brings them to that width, and the encoder stays as it was pretrained.

    Args:
        encoder: a VisualBERT of transformers.
        region_width: D, of a region's features; `None` if it is to read no regions.
        name: of the encoder, for the error.

    Raises:
        PluginError: the encoder is not a VisualBERT.
    """

    def __init__(self, encoder: PreTrainedModel, region_width: int | None, name: str) -> None:
        super().__init__()
        if encoder.config.model_type != "visual_bert":
            raise PluginError(
                f"encoder {name!r} is of the type {encoder.config.model_type}, expected visual_bert: "
                "name a VisualBERT, such as uclanlp/visualbert-vqa-coco-pre"
            )
        self.encoder = encoder
        self.width = int(encoder.config.hidden_size)
        pretrained = int(encoder.config.visual_embedding_dim)
        fits = region_width in (None, pretrained)
        self.region = None if fits else nn.Linear(region_width or 0, pretrained)

    def forward(self, inputs: Inputs, *, explain: bool = False) -> TextRegionStates:
        """States of the sub-tokens.

        Args:
            inputs: B windows; their regions (B, N, D) if there are any.
            explain: also give the last layer's attention.
        """
        seen = {}
        if inputs.picture is not None:
            features = inputs.picture.features
            seen["visual_embeds"] = features if self.region is None else self.region(features)
            seen["visual_attention_mask"] = inputs.picture.mask.to(inputs.mask.dtype)
        output = self.encoder(
            input_ids=inputs.ids, attention_mask=inputs.mask, output_attentions=explain, **seen
        )
        text: Tensor = output.last_hidden_state[:, : inputs.ids.shape[1]]
        return TextRegionStates(text, output.attentions[-1] if explain else None)
