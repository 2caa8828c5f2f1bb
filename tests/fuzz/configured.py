"""Settings from a file, the environment and flags."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from hypothesis import strategies as st
from pydantic import BaseModel

from streamproc.errors import SettingsError
from streamproc.settings import Settings, load_settings
from tests.fuzz.inputs import VALUES, damaged
from tests.fuzz.target import Check, Target, is_one_line

_FILE: Final = b"""
[kafka]
broker = "kafka-1:9092,[::1]:9092"
security_protocol = "SASL_SSL"
username = "me"
password = "hunter2"
session_timeout_s = 6.5

[topics]
posts = "in"
partitions = 12

[vision]
extractors = "triton://host:8001"
modalities = ["ocr", "captions"]

[vision.engines.ocr]
device = "cpu"
languages = ["en"]

[health]
listen = "127.0.0.1:8080"

[plugins.mine]
plugin = "mner-onnx"
isolation = "process"
config = {threads = 2}

[[routes]]
when = {platform = ["bluesky"], lang = ["en-GB"], has_picture = true, text = "(?i)give.?away"}
primary = "mine"
look = "uncertain(0.2)"
shadow = [{plugin = "capitals", sample = 0.05}]
"""


def _paths() -> list[str]:
    found = [
        "plugins.mine.plugin",
        "plugins.mine.config.a",
        "routes",
        "kafka",
        "",
        "nothing",
        "kafka.broker.x",
    ]
    for section, field in Settings.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            found += [f"{section}.{key}" for key in inner.model_fields]
    return found


_PLAIN: Final = st.sampled_from(
    [
        "",
        "0",
        "1",
        "-1",
        "1e999",
        "nan",
        "true",
        "127.0.0.1:9092",
        "[::1]:1",
        "hunter2",
        "[",
        "{",
        "[[" * 900,
        "[1, 2]",
        '["ocr"]',
        '{device = "cpu"}',
        '[{when = {text = "(" }}]',
        '[{look = "uncertain(2)"}]',
        '[{when = {text = "(?<=a*)b{9999999999}"}}]',
        "uncertain(1)",
        "\x00",
        "redis://h",
        "ü" * 300,
    ]
)
_VALUES: Final = _PLAIN | st.text(max_size=20) | VALUES.map(json.dumps)
_PATHS: Final = st.sampled_from(_paths()) | st.text(max_size=12)
_VARIABLES: Final = _PATHS.map(
    lambda path: "STREAMPROC_" + path.upper().replace(".", "__")
) | st.sampled_from(
    ["STREAMPROC_KAFKA_BROKER", "STREAMPROC_", "STREAMPROC___", "STREAMPROC_REQUIRE_SERVICES"]
)
_SECRET: Final = st.sampled_from(["kafka.password=hunter2", "kafka.key_password=hunter2"])


@contextmanager
def _files(folder: Path) -> Iterator[Check]:
    file = folder / "streamproc.toml"

    def check(given: Any) -> None:
        written, environment, assignments = given
        if written is not None:
            file.write_bytes(written)
        try:
            settings = load_settings(file if written is not None else None, environment, assignments)
        except SettingsError as error:
            is_one_line(str(error))
            return
        assert isinstance(settings, Settings)
        assert "hunter2" not in repr(settings.kafka.password), "a secret is shown"

    yield check


def _assigned(path: str, value: str) -> str:
    return f"{path}={value}"


TARGETS: Final = (
    Target(
        "settings",
        st.tuples(
            st.none() | st.none() | damaged([_FILE]) | st.binary(max_size=40),
            st.dictionaries(_VARIABLES, _VALUES, max_size=3),
            st.lists(st.builds(_assigned, _PATHS, _VALUES) | st.text(max_size=10) | _SECRET, max_size=3),
        ),
        _files,
        relatives=40,
        short=60,
        cost=2,
    ),
)
