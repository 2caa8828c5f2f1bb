"""Plugins under names of their own."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from streamproc.settings.section import Section


class PluginSettings(Section):
    """One plugin under a name of its own, for routes to refer to."""

    plugin: str | None = Field(
        default=None, description="entry point, or module:Class; known by itself for an installed model"
    )
    model: str | None = Field(default=None, description="an installed model's name, or a folder")
    device: str = "cpu"
    config: dict[str, Any] = Field(default_factory=dict)
    isolation: Literal["thread", "process"] = Field(
        default="process", description="where the model runs: in a process of its own, or in the worker"
    )
    deadline_s: float = Field(
        default=60.0, gt=0, le=3600, description="for tagging a batch, in a process of its own"
    )
    memory_mb: int | None = Field(
        default=None, ge=1, description="what a process of its own may hold; any amount without it"
    )

    @model_validator(mode="after")
    def _is_kept(self) -> PluginSettings:
        given = [name for name in ("deadline_s", "memory_mb") if name in self.model_fields_set]
        if self.isolation == "thread" and given:
            raise ValueError(
                f'{" and ".join(given)}: nobody can end a thread, leave out isolation = "thread"'
            )
        return self
