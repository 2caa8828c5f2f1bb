"""How much a worker takes on at once, and when it counts as stuck."""

from __future__ import annotations

import re

from pydantic import Field, field_validator, model_validator

from streamproc.settings.section import Section


class Limits(Section):
    """What one post and one worker may take."""

    text_chars: int = Field(default=25_000, ge=1)
    in_flight: int = Field(default=4_000, ge=1, description="posts read and not finished")
    fetch_posts: int = Field(default=1_000, ge=1, description="posts fetched at a time")
    drain_s: float = Field(
        default=10.0, ge=0, le=3600, description="time for started posts at a rebalance or stop"
    )
    shadow_posts: int = Field(
        default=4_000, ge=1, description="posts that wait for one shadow; it misses those that come then"
    )


class Batching(Section):
    """Micro-batches for a plugin."""

    posts: int = Field(default=64, ge=1)
    tokens: int = Field(default=8_192, ge=1, description="padded: posts x longest")
    wait_ms: float = Field(default=10.0, ge=0, le=60_000, description="how long a post waits for company")
    window: int = Field(default=1_024, ge=1, description="waiting posts that are sorted by length together")


class Health(Section):
    """When a worker that gets nowhere is told, and ended; where it says how it is."""

    listen: str = Field(
        default="", description="HOST:PORT for /live, /ready and /metrics; nothing listens without it"
    )
    stuck_s: float = Field(
        default=120.0, gt=0, le=86_400, description="without progress, while there is work: not ready"
    )
    exit_s: float = Field(
        default=300.0, ge=0, le=86_400, description="the worker exits 1 after so long; 0: never"
    )
    max_pause_s: float = Field(
        default=3600.0,
        gt=0,
        le=30 * 86_400,
        description="a pause on purpose that lasts longer is stuck; so is a post that all others overtook",
    )

    @field_validator("listen")
    @classmethod
    def _host_and_port(cls, value: str) -> str:
        found = re.fullmatch(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\]):([0-9]{1,5})", value)
        if value and (found is None or int(found[1]) >= 2**16):
            raise ValueError("expected HOST:PORT, such as 127.0.0.1:8080; port 0 takes a free one")
        return value

    @model_validator(mode="after")
    def _is_told_before_it_ends(self) -> Health:
        if self.exit_s and self.exit_s < self.stuck_s:
            raise ValueError("exit_s has to be as long as stuck_s or longer, or 0")
        return self
