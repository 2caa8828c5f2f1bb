"""What a start refuses: a model that is to say itself when to look, and does not."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from streamproc.errors import SettingsError
from streamproc.fusion.api import FusionModel, FusionPlugin, Modality, Need
from streamproc.settings import PluginSettings, Settings
from streamproc.testing import FakeModel
from streamproc.wiring import load_plugins


class SeesConfig(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    modalities: dict[Modality, Need]
    look_threshold: float | None = None


class Sees(FusionPlugin[SeesConfig]):
    """A plugin that uses of pictures what it is told, and names the threshold that it is told."""

    name = "sees"
    version = "1"
    Config = SeesConfig
    needs_model = False

    def load(self, model_dir: Path | None, device: str) -> FusionModel:
        model = FakeModel(self.config.modalities)
        model.look_threshold = self.config.look_threshold
        return model


def settings(look: str, modalities: Mapping[Modality, Need], threshold: float | None = None) -> Settings:
    config = {"modalities": modalities, "look_threshold": threshold}
    mine = PluginSettings(plugin="tests.test_wiring:Sees", config=config)
    routes = [
        {"when": {"lang": ["xx"]}, "primary": "capitals"},
        {"primary": "capitals", "shadow": [{"plugin": "mine"}], "look": look},
    ]
    return Settings.model_validate({"plugins": {"mine": mine}, "routes": routes})


def test_a_model_without_a_threshold_of_its_own_is_refused_where_it_is_to_choose() -> None:
    with pytest.raises(
        SettingsError, match=r"^look = uncertain: the model of mine names no threshold .*\(0\.2\)$"
    ):
        load_plugins(settings("uncertain", {"ocr": Need.OPTIONAL}))


@pytest.mark.parametrize(
    ("look", "modalities", "threshold"),
    [
        ("uncertain", {"ocr": Need.OPTIONAL}, 0.0),
        ("uncertain(0.2)", {"ocr": Need.OPTIONAL}, None),
        ("always", {"ocr": Need.OPTIONAL}, None),
        ("uncertain", {"alt": Need.OPTIONAL}, None),
        ("uncertain", {"ocr": Need.REQUIRED, "captions": Need.OPTIONAL}, None),
    ],
    ids=["its own", "a number", "always", "never looks", "always looks"],
)
def test_it_is_taken_where_there_is_nothing_for_it_to_choose(
    look: str, modalities: dict[Modality, Need], threshold: float | None
) -> None:
    assert set(load_plugins(settings(look, modalities, threshold))) == {"capitals", "mine"}
