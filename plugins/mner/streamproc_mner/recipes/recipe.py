"""What a recipe is, and reading the recipes that come with this package: one TOML file a paper."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from streamproc.errors import SettingsError
from streamproc.fusion.api import Modality
from streamproc_mner.labels import ENTITY_TYPES
from streamproc_mner.windows import Limits

PAPERS: Final = ("moon2018", "yu2020", "chen2021", "wang2022")
"""The files of recipes, in the order in which they are listed."""

_MOST_HINTS: Final = 5


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Training(_Frozen):
    """How the paper trained the system; where a paper gives a range, what we start from.

    Attributes:
        optimizer: adagrad has one learning rate for everything, `head_rate`.
        encoder_rate: of pretrained encoders.
        input_rate: of embeddings that are added to a pretrained encoder's; by default `head_rate`.
        head_rate: of everything else.
        batch: posts.
        weight_decay: of the matrices of pretrained encoders.
        warm_up: share of all steps in which the rates rise; then they fall to 0 linearly.
        clip: largest norm of the gradient; `None` for no clipping.
        patience: training ends after so many epochs without a better F1 on the dev posts; `None`: never.
        held_out: share of the training posts that is cut off as dev posts where the data has none.
        share: of the training posts that are trained on.
        averaged: at the end the weights of the last 2, 3, ... up to so many epochs are averaged, and
            the mean that is best on the dev posts is kept, if it is better than any epoch.
        label_smoothing: share of the loss that asks for all labels alike at each word.
        distillation: weight of the teachers' posteriors in the loss, where teachers are given.
        pictures: `another` trains each post with another post's picture.
        context: `made` makes visual context of changing kinds up, as a post may meet it in the stream.
        context_share: of each batch that is read with what was seen in its pictures; networks that
            train on both views read all of it without, too.
        mlm_epochs: passes over the training posts' text in which the encoder learns to fill in masked
            sub-tokens, before anything else (task-adaptive pre-training).
        mlm_rate: its learning rate.
    """

    optimizer: Literal["adamw", "adagrad"] = "adamw"
    encoder_rate: float = Field(default=5e-5, gt=0, le=10)
    input_rate: float | None = Field(default=None, gt=0, le=10)
    head_rate: float = Field(default=5e-5, gt=0, le=10)
    batch: int = Field(default=16, ge=1, le=4096)
    epochs: int = Field(default=10, ge=1, le=1000)
    weight_decay: float = Field(default=0.01, ge=0, le=10)
    warm_up: float = Field(default=0.1, ge=0, lt=1)
    clip: float | None = Field(default=None, gt=0)
    patience: int | None = Field(default=None, ge=1, le=1000)
    held_out: float = Field(default=0.1, gt=0, lt=1)
    share: float = Field(default=1.0, gt=0, le=1)
    averaged: int = Field(default=1, ge=1, le=1000)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    distillation: float = Field(default=1.0, gt=0, le=100)
    pictures: Literal["own", "another"] = "own"
    context: Literal["own", "made"] = "own"
    context_share: float = Field(default=1.0, ge=0, le=1)
    mlm_epochs: int = Field(default=0, ge=0, le=1000)
    mlm_rate: float = Field(default=1e-4, gt=0, le=10)


class Published(_Frozen):
    """Figures of a system in its paper, in percent, on the test split of one data set.

    Attributes:
        f1: span F1, with pictures where the system uses any.
        text_f1: of the same system without pictures.
        segmentation_f1: F1 of the spans without their types (moon2018).
        dev_f1: on the development split.
        best_f1: best of the runs of which `f1` is the mean.
    """

    f1: float
    text_f1: float | None = None
    segmentation_f1: float | None = None
    dev_f1: float | None = None
    best_f1: float | None = None

    def told(self, decimals: int = 2) -> str:
        """In a line, such as `75.60 (T 75.67)`; `decimals` as the paper prints them."""
        others = {
            "T": self.text_f1,
            "segments": self.segmentation_f1,
            "dev": self.dev_f1,
            "best": self.best_f1,
        }
        known = [f"{key} {value:.{decimals}f}" for key, value in others.items() if value is not None]
        return f"{self.f1:.{decimals}f}" + (f" ({', '.join(known)})" if known else "")


class Recipe(_Frozen):
    """One system of a paper.

    Attributes:
        name: the paper's short name, a slash, and the system's.
        paper: the paper, as one cites it.
        about: the system in a line.
        plugin: the plugin whose network it is.
        modalities: what it uses of the pictures.
        types: of entities.
        network: settings of the plugin's network; those that are not named have the plugin's defaults.
        limits: of length.
        training: how it was trained.
        sources: what looked at the pictures in the paper, by modality.
        published: figures by data set.
    """

    name: str = Field(pattern=r"^[a-z0-9]+/[a-z0-9-]+$")
    paper: str
    about: str
    plugin: str
    modalities: tuple[Modality, ...] = ()
    types: tuple[str, ...] = ENTITY_TYPES
    network: Mapping[str, Any] = {}
    limits: Limits = Limits()
    training: Training = Training()
    sources: Mapping[Modality, str] = {}
    published: Mapping[str, Published] = {}


@cache
def all_recipes() -> tuple[Recipe, ...]:
    """Every recipe, paper by paper."""
    return tuple(recipe for paper in PAPERS for recipe in _read(paper))


def find_recipe(name: str) -> Recipe:
    """The recipe of a name; the paper may be left out where the rest is unique.

    Raises:
        SettingsError: there is none, or there are several.
    """
    recipes, wanted = all_recipes(), name.lower()
    found = [r for r in recipes if r.name == wanted] or [r for r in recipes if _bare(r) == wanted]
    if len(found) == 1:
        return found[0]
    if found:
        raise SettingsError(f"{name!r} is in several papers: {', '.join(r.name for r in found)}; name one")
    names = [r.name for r in recipes]
    close = get_close_matches(wanted, [*names, *map(_bare, recipes)], n=1)
    within = [full for full in names if wanted and wanted in full][:_MOST_HINTS]
    hint = "see `streamproc recipes list`"
    if within:
        hint = f"some that have it in their names are {', '.join(within)}; {hint}"
    elif close:
        hint = f"did you mean {close[0]}?"
    raise SettingsError(f"no recipe named {name!r}: {hint}")


def _bare(recipe: Recipe) -> str:
    """A recipe's name without its paper's."""
    return recipe.name.split("/")[1]


def _read(paper: str) -> list[Recipe]:
    """The recipes of one file: each `[recipes.NAME]` builds on `[common]`, and on its `[plugins.NAME]`."""
    text = files(__package__).joinpath(f"{paper}.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    common = table["common"]
    by_plugin = table.get("plugins", {})
    recipes = []
    for name, own in table["recipes"].items():
        plugin = own.get("plugin") or common["plugin"]
        merged = _merged(_merged(common, by_plugin.get(plugin, {})), own)
        recipes.append(Recipe.model_validate({**merged, "name": f"{paper}/{name}"}))
    return recipes


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Tables merged key by key; what stands in `over` wins."""
    result = dict(base)
    for key, value in over.items():
        known = result.get(key)
        if isinstance(known, Mapping) and isinstance(value, Mapping):
            result[key] = _merged(known, value)
        else:
            result[key] = value
    return result
