"""Pictures: who looks at them, and what is remembered."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field, field_validator

from streamproc.settings.section import Section, is_address


class EngineSettings(Section):
    """An extractor of this process: its device, and whatever else its engine takes."""

    model_config = ConfigDict(frozen=True, extra="allow")

    device: str = "cpu"

    @property
    def config(self) -> dict[str, Any]:
        """What the engine takes."""
        return dict(self.model_extra or {})


class Triton(Section):
    """How a Triton server is asked."""

    deadline_s: float = Field(default=20.0, gt=0, le=600, description="for one picture, retries included")
    in_flight: int = Field(default=32, ge=1, description="pictures that one model is asked about at once")
    retries: int = Field(default=2, ge=0, le=10, description="where the server is busy or away")
    breaker_failures: int = Field(default=5, ge=1, description="in a row, until it is left alone")
    breaker_pause_s: float = Field(default=5.0, gt=0, description="until it is tried again")


class Vision(Section):
    """How pictures are fetched, looked at and remembered."""

    extractors: str = Field(
        default="local",
        description="who looks: `local`, in this process; or triton://HOST:8001, several with commas; "
        "tritons:// for TLS",
    )
    modalities: tuple[Literal["captions", "objects", "ocr", "grid", "global", "regions"], ...] | None = (
        Field(
            default=None,
            description="what is looked for; [] looks at nothing; all that plugins want without it",
        )
    )
    engines: dict[str, EngineSettings] = Field(
        default_factory=dict, description="extractors of this process by name, and how they look"
    )
    triton: Triton = Triton()
    cache: str = Field(
        default="memory://",
        description="memory://, redis://HOST:PORT/DB, redis+sentinel://HOST:PORT,.../MASTER/DB, "
        "redis+cluster://HOST:PORT,...; rediss for TLS",
    )
    cache_ttl_s: int = Field(default=7 * 24 * 3600, ge=1, description="give or take a tenth")
    failure_ttl_s: int = Field(
        default=60, ge=1, description="how long a picture that failed is not tried again"
    )
    url_ttl_s: int = Field(
        default=3600,
        ge=0,
        description="how long a URL is taken to lead where it led; then its server is asked",
    )
    cache_bytes: int = Field(default=64 * 1024 * 1024, ge=0, description="bound of memory://")
    cache_value_bytes: int = Field(default=1024 * 1024, ge=0, description="larger values are not kept")
    pictures: int = Field(default=4, ge=1, description="pictures of one post that are looked at")
    deadline_s: float = Field(default=30.0, gt=0, description="for one picture: fetch, decode, look")
    concurrency: int = Field(default=8, ge=1, le=4096, description="pictures fetched and looked at at once")
    picture_bytes: int = Field(default=10_000_000, ge=1, le=2**30)
    picture_pixels: int = Field(default=25_000_000, ge=1, le=10**9)
    decoders: int = Field(default=2, ge=1, le=256, description="processes that decode pictures")
    decode_timeout_s: float = Field(default=10.0, gt=0, description="for decoding one picture")
    fetch_timeout_s: float = Field(default=10.0, gt=0)
    host_rate: float = Field(default=10.0, gt=0, description="pictures fetched from one host in a second")
    data_urls: bool = Field(default=True, description="read pictures that stand in `data:` URLs")
    user_agent: str | None = Field(
        default=None,
        pattern=r"^[\x20-\x7e]{1,256}$",
        description="who asks, and how its operator is reached",
    )
    allow_private_addresses: bool = Field(
        default=False, description="connect to loopback and private networks; for tests only"
    )

    @field_validator("extractors")
    @classmethod
    def _local_or_triton(cls, value: str) -> str:
        scheme, separator, hosts = value.partition("://")
        addresses = hosts.split(",")
        triton = scheme in {"triton", "tritons"} and all(is_address(a.strip()) for a in addresses)
        if value != "local" and not (separator and triton):
            raise ValueError("expected local, or triton://HOST:PORT, several with commas between")
        return value
