"""One tree of settings; whoever mistypes a key is told the nearest one."""

from pathlib import Path

import pytest

from streamproc.errors import SettingsError
from streamproc.routing import Look
from streamproc.settings import Settings, load_settings

FILE = """
[kafka]
broker = "broker:9092"
group = "from-file"

[batching]
posts = 32

[plugins.mine]
plugin = "capitals"
config = {words = 2}

[[routes]]
when = {platform = ["bluesky"], has_picture = true}
primary = "mine"
shadow = [{plugin = "capitals", sample = 0.1}]
look = "always"

[[routes]]
look = "uncertain(0.3)"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "streamproc.toml"
    path.write_text(FILE)
    return path


def test_without_anything_the_defaults_work() -> None:
    assert load_settings(environment={}) == Settings()


def test_flags_win_over_the_environment_and_that_over_the_file(file: Path) -> None:
    environment = {
        "STREAMPROC_KAFKA__GROUP": "from-env",
        "STREAMPROC_BATCHING__POSTS": "16",
        "STREAMPROC_REQUIRE_SERVICES": "1",
    }
    settings = load_settings(file, environment, ["kafka.group=from-flag"])
    assert (settings.kafka.broker, settings.kafka.group, settings.batching.posts) == (
        "broker:9092",
        "from-flag",
        16,
    )


def test_routes_and_plugins_are_typed(file: Path) -> None:
    settings = load_settings(file, {})
    assert settings.routes[0].look == Look("always")
    assert settings.routes[0].shadow[0].sample == 0.1
    assert settings.routes[1].look == Look("uncertain", 0.3)
    assert settings.plugins["mine"].config == {"words": 2}


def test_the_environment_names_the_file_and_lists_are_toml(file: Path) -> None:
    environment = {"STREAMPROC_CONFIG": str(file), "STREAMPROC_VISION__MODALITIES": "[]"}
    settings = load_settings(environment=environment)
    assert settings.kafka.group == "from-file"
    assert settings.vision.modalities == ()


def test_a_whole_section_can_come_from_the_environment() -> None:
    environment = {"STREAMPROC_ROUTES": '[{primary="capitals", unavailable="wait"}]'}
    assert load_settings(environment=environment).routes[0].unavailable == "wait"
    with pytest.raises(SettingsError, match="plugins: expected a table"):
        load_settings(environment={"STREAMPROC_PLUGINS": "mine"})


@pytest.mark.parametrize(
    ("assignment", "complaint"),
    [
        ("kafka.brokr=x", "kafka.brokr: unknown key, did you mean broker?"),
        ("kafak.broker=x", "kafak: unknown key, did you mean kafka?"),
        ("batching.posts=none", "batching.posts: Input should be a valid integer"),
        ("batching.posts=0", "batching.posts: Input should be greater than or equal to 1"),
        ("plugins.x.modell=y", "plugins.x.modell: unknown key, did you mean model?"),
        ('routes=[{look="sometimes"}]', "expected always, never or uncertain(T)"),
        ('routes=[{look="uncertain(2)"}]', "expected always, never or uncertain(T)"),
        ('routes=[{when={text="("}}]', "not a regular expression"),
        ('routes=[{when={plattform=["x"]}}]', "did you mean platform?"),
        (
            'plugins.x={isolation="thread", memory_mb=512}',
            'memory_mb: nobody can end a thread, leave out isolation = "thread"',
        ),
        ("plugins.x.isolation=proces", "plugins.x.isolation: Input should be 'thread' or 'process'"),
        ("kafka=1", "kafka: expected a table"),
        ("vision.modalities=ocr", "vision.modalities: expected a list"),
        ("kafka.broker.x=1", "kafka.broker: Input should be a valid string"),
        ("nonsense", "expected section.key=value"),
        ("kafka.broker=nowhere", "expected HOST:PORT"),
        ("kafka.broker=kafka://a:1", "expected HOST:PORT"),
        ("kafka.broker= , ", "expected HOST:PORT"),
        ("kafka.broker=a:65536", "expected HOST:PORT"),
        ("vision.extractors=triton://a:99999", "expected local, or triton://HOST:PORT"),
        ("vision.picture_pixels=10000000000", "less than or equal to 1000000000"),
        ("kafka.session_timeout_s=0.5", "greater than or equal to 1"),
        ("kafka.session_timeout_s=inf", "finite number"),
        ("batching.wait_ms=inf", "finite number"),
        ("topics.entities=posts", "four topics"),
        ("topics.posts=a b", "String should match pattern"),
        ('routes=[{primary="a", shadow=[{plugin="a"}]}]', "other than the primary"),
        ("routes=[", "not a TOML list"),
        ("routes=" + "[" * 5_000, "not a TOML list"),
        ("vision.user_agent=a\nHost: b", "vision.user_agent: String should match"),
        ('vision.extractors=["ocr"]', "vision.extractors: Input should be a valid string"),
        ("vision.extractors=triton", "expected local, or triton://HOST:PORT"),
        ("vision.extractors=triton://a", "expected local, or triton://HOST:PORT"),
        ('vision.modalities=["orc"]', "vision.modalities.0: Input should be"),
        ("vision.triton.retrys=1", "vision.triton.retrys: unknown key, did you mean retries?"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_with_what_was_expected(
    assignment: str, complaint: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(environment={}, assignments=[assignment])
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "read"),
    [("[::1]:9092", "[::1]:9092"), (" a:1 , b:2,", "a:1,b:2"), ("kafka-1.x_y:9092", "kafka-1.x_y:9092")],
)
def test_broker_addresses_are_read_as_people_write_them(given: str, read: str) -> None:
    assert load_settings(environment={}, assignments=[f"kafka.broker={given}"]).kafka.broker == read


def test_one_underscore_too_few_is_named_and_other_variables_are_left_alone() -> None:
    with pytest.raises(SettingsError, match="did you mean STREAMPROC_KAFKA__BROKER"):
        load_settings(environment={"STREAMPROC_KAFKA_BROKER": "x:1"})
    load_settings(environment={"STREAMPROC_SERVICE_HOST": "10.0.0.1", "STREAMPROC_KAFKA_LIBS": "/x"})


def test_a_mistyped_variable_is_named() -> None:
    with pytest.raises(SettingsError, match="did you mean group"):
        load_settings(environment={"STREAMPROC_KAFKA__GRUOP": "x"})


def test_an_error_is_one_line_whatever_was_given(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as told:
        load_settings(environment={}, assignments=['plugins={"two\\nlines" = {device = 1}}'])
    assert "two lines" in str(told.value)
    assert len(str(told.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "No such file"),
        (b"[kafka", "is not TOML"),
        (b"\xff", "is not TOML"),
        (b"a = " + b"[" * 100_000, "is not TOML"),
        (b"a = " + b"9" * 5_000, "is not TOML"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, complaint: str) -> None:
    path = tmp_path / "s.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=complaint):
        load_settings(path, {})
