"""How a saved model is served with torch."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from streamproc.fusion.api import Modality


class TorchTaggerConfig(BaseModel):
    """Configuration of a plugin that serves a saved tagger with torch."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    modalities: tuple[Modality, ...] | None = Field(
        default=None,
        description="what of the pictures is fed to the model, none for text only; "
        "default: all it was trained on",
    )
    precision: Literal["float32", "bfloat16"] = Field(
        default="float32",
        description="bfloat16 is faster where the hardware has it, but a post's scores then depend "
        "a little on the batch it is in",
    )
    batch_tokens: int = Field(
        default=4096, ge=64, le=65_536, description="sub-tokens with padding in one run"
    )
    handles: bool = Field(default=False, description="also tag the names of mentioned accounts (`@name`)")
