"""Plugins are found by entry point; a bad one is named and costs nobody else."""

from collections.abc import Callable
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from streamproc import installed
from streamproc.errors import PluginError
from streamproc.fusion import discovery
from streamproc.fusion.api import FusionModel, FusionPlugin, ModelPackage
from streamproc.fusion.capitals import CapitalsModel, CapitalsPlugin
from streamproc.settings import PluginSettings
from streamproc.testing.contract import CHECKS, run_contract

MODEL = ModelPackage(plugin="capitals", folder=Path(__file__).parent, notice="for research")
NOT_A_PLUGIN = 3


class OldPlugin(CapitalsPlugin):
    """Written for an API that is no more."""

    api_version = 0


class ExplodingPlugin(CapitalsPlugin):
    """Cannot load its model."""

    def load(self, model_dir: Path | None, device: str) -> FusionModel:
        raise ValueError("no such weights")


class QuittingPlugin(CapitalsPlugin):
    """Ends the process that loads it."""

    def load(self, model_dir: Path | None, device: str) -> FusionModel:
        raise SystemExit(0)


def _loads(**facts: object) -> type[CapitalsPlugin]:
    """A plugin whose model says these things of itself."""

    class Plugin(CapitalsPlugin):
        def load(self, model_dir: Path | None, device: str) -> FusionModel:
            model = super().load(model_dir, device)
            vars(model).update(facts)
            return model

    return Plugin


class EmptyPlugin(CapitalsPlugin):
    """Gives no model."""

    def load(self, model_dir: Path | None, device: str) -> FusionModel:
        return None  # type: ignore[return-value]


ListPlugin = _loads(modalities=["ocr"])
WidthPlugin = _loads(widths={"global": "2048"})
ThresholdPlugin = _loads(look_threshold="0.3")
VersionPlugin = _loads(model_version="\ud800")


class HungryPlugin(CapitalsPlugin):
    """Needs a saved model."""

    needs_model = True


Install = Callable[..., None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Pretend that packages with these entry points are installed."""

    def pretend(
        plugins: dict[str, str], models: dict[str, str] | None = None, folders: dict[str, str] | None = None
    ) -> None:
        groups = {
            discovery.PLUGIN_GROUP: plugins,
            discovery.MODEL_GROUP: models or {},
            discovery.FOLDER_GROUP: folders or {},
        }
        monkeypatch.setattr(
            installed,
            "entry_points",
            lambda group: EntryPoints(EntryPoint(n, v, group) for n, v in groups[group].items()),
        )

    return pretend


HERE = __name__


def test_the_built_in_plugin_is_found_and_keeps_the_contract() -> None:
    loaded = discovery.load_plugin("capitals")
    assert isinstance(loaded.model, CapitalsModel)
    assert [outcome.fault for outcome in run_contract(loaded)] == [None] * len(CHECKS)


def test_a_bad_plugin_is_named_and_the_others_still_load(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install({"good": "streamproc.fusion.capitals:CapitalsPlugin", "bad": "no_such_package.plugin:Plugin"})
    assert discovery.plugin_names() == ["bad", "good"]
    with pytest.raises(
        PluginError, match=r"plugin 'bad' \(no_such_package.plugin:Plugin\) cannot be imported"
    ):
        discovery.load_plugin("bad")
    assert discovery.load_plugin("good").name == "good"


@pytest.mark.parametrize(
    ("name", "settings", "complaint"),
    [
        ("capitls", None, "no plugin or model named 'capitls': did you mean capitals"),
        (
            "./runs/model",
            None,
            "'./runs/model' is no folder of a saved model, and no plugin or model: known",
        ),
        ("mine", PluginSettings(), "plugins.mine: give `plugin`"),
        ("mine", PluginSettings(plugin="capitls"), "no plugin named 'capitls': did you mean capitals"),
        (
            "mine",
            PluginSettings(plugin="capitals", config={"word": 1}),
            "plugins.mine.config: word: Extra inputs",
        ),
        ("mine", PluginSettings(plugin="capitals", model="/no/such/folder"), "neither an installed model"),
    ],
)
def test_a_name_that_leads_nowhere_says_what_there_is(
    name: str, settings: PluginSettings | None, complaint: str
) -> None:
    with pytest.raises(PluginError, match=complaint):
        discovery.load_plugin(name, settings)


@pytest.mark.parametrize(
    ("attribute", "complaint"),
    [
        ("NOT_A_PLUGIN", "expected a class derived from FusionPlugin, got 3"),
        ("OldPlugin", "written for plugin API 0, this is 1"),
        ("ExplodingPlugin", "failed to load its model: ValueError"),
        ("QuittingPlugin", "failed to load its model: SystemExit"),
        ("EmptyPlugin", "load gave NoneType, expected a FusionModel"),
        ("ListPlugin", "modalities .*: expected Need by name"),
        ("WidthPlugin", "widths .*: expected a number of dimensions"),
        ("ThresholdPlugin", "look_threshold '0.3': expected a number from 0 to 1"),
        ("VersionPlugin", "model_version .*: expected text"),
        ("HungryPlugin", "needs a trained model"),
    ],
)
def test_a_plugin_that_cannot_serve_says_why(
    install: Install, monkeypatch: pytest.MonkeyPatch, attribute: str, complaint: str
) -> None:
    import sys
    import types

    module = types.ModuleType("streamproc_test_plugins")
    setattr(module, attribute, globals()[attribute])
    monkeypatch.setitem(sys.modules, module.__name__, module)
    install({"it": f"streamproc_test_plugins:{attribute}"})
    with pytest.raises(PluginError, match=complaint):
        discovery.load_plugin("it")


def test_a_plugin_can_be_named_by_module_and_class_without_being_installed() -> None:
    settings = PluginSettings(plugin="streamproc.fusion.capitals:CapitalsPlugin")
    assert discovery.load_plugin("mine", settings).name == "mine"
    with pytest.raises(PluginError, match="cannot be imported"):
        discovery.load_plugin("mine", PluginSettings(plugin="streamproc.fusion.capitals:Nobody"))


def test_settings_of_an_installed_plugin_need_not_name_it_again() -> None:
    assert isinstance(discovery.load_plugin("capitals", PluginSettings()).plugin, CapitalsPlugin)


def test_an_installed_model_brings_its_plugin_and_its_notice(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys
    import types

    module = types.ModuleType("streamproc_test_models")
    vars(module)["MODEL"] = MODEL
    monkeypatch.setitem(sys.modules, module.__name__, module)
    install(
        {"capitals": "streamproc.fusion.capitals:CapitalsPlugin"}, {"small": "streamproc_test_models:MODEL"}
    )
    loaded = discovery.load_plugin("small")
    assert isinstance(loaded.plugin, CapitalsPlugin)
    assert loaded.notice == "for research"
    assert discovery.load_plugin("small", PluginSettings(config={"words": 2})).notice == "for research"
    assert issubclass(CapitalsPlugin, FusionPlugin)


def _plugin_of(folder: Path) -> str:
    """Reads folders as a package of plugins would."""
    if not (folder / "mine.txt").is_file():
        raise PluginError(f"{folder}: no model of mine")
    return (folder / "mine.txt").read_text()


def test_the_folder_of_a_model_is_served_by_the_plugin_that_its_reader_names(
    install: Install, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import sys
    import types

    module = types.ModuleType("streamproc_test_folders")
    vars(module)["plugin_of"] = _plugin_of
    monkeypatch.setitem(sys.modules, module.__name__, module)
    capitals = {"capitals": "streamproc.fusion.capitals:CapitalsPlugin"}
    install(capitals)
    with pytest.raises(PluginError, match="nobody here reads saved models"):
        discovery.load_plugin(str(tmp_path))
    install(capitals, None, {"mine": "streamproc_test_folders:plugin_of"})
    with pytest.raises(PluginError, match="no model of mine"):
        discovery.load_plugin(str(tmp_path))
    (tmp_path / "mine.txt").write_text("capitals")
    loaded = discovery.load_plugin(str(tmp_path))
    assert isinstance(loaded.plugin, CapitalsPlugin)
    assert loaded.name == str(tmp_path)


def test_an_installed_name_goes_before_a_folder_of_that_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "capitals").mkdir()
    monkeypatch.chdir(tmp_path)
    assert isinstance(discovery.load_plugin("capitals").plugin, CapitalsPlugin)
