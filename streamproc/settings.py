"""Settings: one typed, frozen tree from a TOML file, the environment and flags.

Later ones win: defaults, the file, `STREAMPROC_SECTION__KEY` variables, `--set section.key=value`
and the flags of a command.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from streamproc.errors import SettingsError
from streamproc.routing import Route

ENVIRONMENT_PREFIX: Final = "STREAMPROC_"


_ADDRESS: Final = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\]):([0-9]{1,5})")
TopicName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{1,249}$")]


def _is_address(text: str) -> bool:
    found = _ADDRESS.fullmatch(text)
    return found is not None and 0 < int(found[2]) < 2**16


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Kafka(_Section):
    """Where the brokers are and who we are to them."""

    broker: str = Field(
        default="127.0.0.1:9092", min_length=1, description="HOST:PORT, or several with commas"
    )
    group: str = Field(default="streamproc", min_length=1)
    session_timeout_s: float = Field(
        default=10.0, ge=1, le=60, description="within what the broker allows: from 6 by default"
    )
    start_timeout_s: float = Field(default=30.0, ge=0, description="how long a start waits for the broker")
    commit_interval_s: float = Field(default=2.0, ge=0.05, le=600)
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    username: str | None = Field(default=None, min_length=1, description="for SASL")
    password: SecretStr | None = Field(default=None, description="for SASL; better in password_file")
    password_file: Path | None = Field(default=None, description="holds the password, and nothing else")
    ca_file: Path | None = Field(
        default=None, description="PEM: whose certificates are trusted; the system's without it"
    )
    cert_file: Path | None = Field(default=None, description="PEM: our certificate, where brokers want one")
    key_file: Path | None = Field(default=None, description="PEM: its key, where cert_file has none")
    key_password: SecretStr | None = None
    check_hostname: bool = Field(
        default=True, description="whether a broker's certificate has to name the host that is asked"
    )

    @field_validator("broker")
    @classmethod
    def _addresses(cls, value: str) -> str:
        addresses = [address.strip() for address in value.split(",") if address.strip()]
        if not addresses or not all(map(_is_address, addresses)):
            raise ValueError("expected HOST:PORT, or several with commas between")
        return ",".join(addresses)

    @model_validator(mode="after")
    def _fit_together(self) -> Kafka:
        protocol = self.security_protocol
        given = {name for name in type(self).model_fields if getattr(self, name) is not None}
        if protocol.startswith("SASL"):
            if "username" not in given or len(given & {"password", "password_file"}) != 1:
                raise ValueError(f"{protocol} wants username, and password or password_file")
        elif unused := sorted(given & {"username", "password", "password_file"}):
            raise ValueError(f"{', '.join(unused)}: not used with security_protocol = {protocol}")
        unused = sorted(given & {"ca_file", "cert_file", "key_file"})
        if unused and not protocol.endswith("SSL"):
            raise ValueError(f"{', '.join(unused)}: not used with security_protocol = {protocol}")
        return self


class Topics(_Section):
    """Names of the topics, and how `topics create` makes them."""

    posts: TopicName = "posts"
    entities: TopicName = "entities"
    shadow: TopicName = "entities.shadow"
    deadletters: TopicName = "posts.deadletters"
    partitions: int = Field(default=4, ge=1)
    replication: int = Field(default=1, ge=1)
    post_bytes: int = Field(default=1_048_576, ge=1024, description="largest message of `posts`")

    compacted: bool = Field(
        default=False, description="key `entities` by entity_key and publish a null for a deleted post"
    )

    @model_validator(mode="after")
    def _are_four(self) -> Topics:
        names = (self.posts, self.entities, self.shadow, self.deadletters)
        if len(set(names)) < len(names):
            raise ValueError("posts, entities, shadow and deadletters have to be four topics")
        return self


class DeadLetters(_Section):
    """When a post that fails again and again is left alone."""

    max_attempts: int = Field(
        default=3, ge=1, le=1000, description="a letter that failed more often is replayed on request only"
    )


class Limits(_Section):
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


class Batching(_Section):
    """Micro-batches for a plugin."""

    posts: int = Field(default=64, ge=1)
    tokens: int = Field(default=8_192, ge=1, description="padded: posts x longest")
    wait_ms: float = Field(default=10.0, ge=0, le=60_000, description="how long a post waits for company")
    window: int = Field(default=1_024, ge=1, description="waiting posts that are sorted by length together")


class EngineSettings(_Section):
    """An extractor of this process: its device, and whatever else its engine takes."""

    model_config = ConfigDict(frozen=True, extra="allow")

    device: str = "cpu"

    @property
    def config(self) -> dict[str, Any]:
        """What the engine takes."""
        return dict(self.model_extra or {})


class Triton(_Section):
    """How a Triton server is asked."""

    deadline_s: float = Field(default=20.0, gt=0, le=600, description="for one picture, retries included")
    in_flight: int = Field(default=32, ge=1, description="pictures that one model is asked about at once")
    retries: int = Field(default=2, ge=0, le=10, description="where the server is busy or away")
    breaker_failures: int = Field(default=5, ge=1, description="in a row, until it is left alone")
    breaker_pause_s: float = Field(default=5.0, gt=0, description="until it is tried again")


class Vision(_Section):
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
        triton = scheme in {"triton", "tritons"} and all(_is_address(a.strip()) for a in addresses)
        if value != "local" and not (separator and triton):
            raise ValueError("expected local, or triton://HOST:PORT, several with commas between")
        return value


class Health(_Section):
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
        description="a pause on purpose that lasts longer is stuck, too",
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


class PluginSettings(_Section):
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


class Settings(_Section):
    """Everything that can be set."""

    kafka: Kafka = Kafka()
    topics: Topics = Topics()
    deadletters: DeadLetters = DeadLetters()
    limits: Limits = Limits()
    batching: Batching = Batching()
    vision: Vision = Vision()
    health: Health = Health()
    plugins: dict[str, PluginSettings] = Field(default_factory=dict)
    routes: tuple[Route, ...] = (Route(),)


_NEVER_TOML: Final = ("broker", "listen", "password", "key_password")
"""Text that may begin with a bracket: [::1]:9092 is an address."""

_SECRET: Final = ("password", "key_password")

_IN_PLAIN_WORDS: Final = {
    "tuple_type": 'expected a list, such as ["a", "b"]',
    "model_type": "expected a table, such as {key = value}",
    "dict_type": "expected a table, such as {key = value}",
}


def load_settings(
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    assignments: Iterable[str] = (),
) -> Settings:
    """Settings from a file, the environment and `section.key=value` assignments.

    Args:
        file: TOML; without one, `STREAMPROC_CONFIG` names it, or there is none.
        environment: by default `os.environ`.
        assignments: what `--set` was given.

    Raises:
        SettingsError: a file that cannot be read, an unknown key (names the nearest one), a value
            of the wrong type or out of range.
    """
    environment = os.environ if environment is None else environment
    named = environment.get(ENVIRONMENT_PREFIX + "CONFIG")
    if file is None and named:
        file = Path(named)
    tree = _read_file(file) if file is not None else {}
    for name, value in environment.items():
        if name.startswith(ENVIRONMENT_PREFIX) and "__" in name:
            path = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
            _assign(tree, path, value, name)
        elif fault := _meant_with_two_underscores(name):
            raise SettingsError(fault)
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or not name:
            raise SettingsError(f"--set {assignment}: expected section.key=value, such as kafka.group=mine")
        _assign(tree, name.split("."), value, f"--set {name}")
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        raise SettingsError(_explain(error, file)) from None


def _meant_with_two_underscores(name: str) -> str | None:
    """What is wrong with a variable such as STREAMPROC_KAFKA_BROKER, which would change nothing."""
    section, _, key = name.removeprefix(ENVIRONMENT_PREFIX).lower().partition("_")
    field = Settings.model_fields.get(section) if name.startswith(ENVIRONMENT_PREFIX) else None
    known = _section_of(field.annotation) if field is not None else None
    if known is None or key not in known.model_fields:
        return None
    return f"{name}: unknown variable, did you mean {ENVIRONMENT_PREFIX}{section.upper()}__{key.upper()}?"


def _read_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"settings file {file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SettingsError(f"settings file {file} is not TOML: {error}") from None


def _assign(tree: dict[str, Any], path: list[str], value: str, name: str) -> None:
    """Put a value at its place; lists and tables are written as in TOML, all else as it is."""
    parsed: Any = value
    if value[:1] in "[{" and value and path[-1] not in _NEVER_TOML:
        try:
            parsed = tomllib.loads(f"value = {value}")["value"]
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise SettingsError(f"{name}: {value!r} is not a TOML list or table: {error}") from None
    for part in path[:-1]:
        child = tree.setdefault(part, {})
        if not isinstance(child, dict):
            raise SettingsError(f"{name}: {part} is a value, not a section")
        tree = child
    tree[path[-1]] = parsed


def _explain(error: ValidationError, file: Path | None) -> str:
    where = f"{file}: " if file is not None else ""
    lines = []
    for complaint in error.errors(include_url=False):
        location = tuple(part for part in complaint["loc"])
        path = ".".join(str(part) for part in location)
        if complaint["type"] == "extra_forbidden":
            lines.append(f"{path}: unknown key{_nearest(location)}")
        else:
            said = _IN_PLAIN_WORDS.get(complaint["type"], complaint["msg"].removeprefix("Value error, "))
            lines.append(f"{path}: {said}, got {_shown(complaint['input'], location)}")
    return where + "; ".join(lines)


def _shown(value: Any, location: tuple[int | str, ...]) -> str:
    """What was given, without what nobody else is to read."""
    if location and location[-1] in _SECRET:
        return "***"
    if isinstance(value, Mapping):
        value = {key: "***" if key in _SECRET else inner for key, inner in value.items()}
    return repr(value)


def _nearest(location: tuple[int | str, ...]) -> str:
    known = _keys_beside(location)
    close = get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
    return f", did you mean {close[0]}?" if close else f", known are {', '.join(sorted(known))}"


def _keys_beside(location: tuple[int | str, ...]) -> list[str]:
    """Known keys of the section that a location lies in."""
    section: type[BaseModel] = Settings
    for part in location[:-1]:
        field = section.model_fields.get(str(part))
        inner = _section_of(field.annotation) if field is not None else None
        section = inner or section
    return list(section.model_fields)


def _section_of(annotation: Any) -> type[BaseModel] | None:
    """The settings section inside an annotation such as `tuple[Route, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _section_of(argument)
        if found is not None:
            return found
    return None
