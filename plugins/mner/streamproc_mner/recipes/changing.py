"""A recipe by name or file, with a user's changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from streamproc.errors import SettingsError
from streamproc.toml import read_toml, read_toml_value
from streamproc_mner.recipes.recipe import Recipe, find_recipe


def wanted_recipe(name: str, changes: Iterable[str] = (), encoder: str | None = None) -> Recipe:
    """The recipe that a user names, changed as wished.

    Args:
        name: of a recipe, or of a TOML file as `recipes show` prints it.
        changes: `section.key=value`, the value as in TOML; text that is no TOML stays text.
        encoder: replaces the name of the recipe's encoder, where it has one.

    Raises:
        SettingsError: there is no such recipe, or no such key in it; names the nearest one.
    """
    if not name.endswith(".toml") and Path(name).exists() and "/" in name:
        raise SettingsError(
            f"{name}: expected a recipe's name, or a .toml file as `recipes show` prints it"
        )
    tree = _read(Path(name)) if name.endswith(".toml") else find_recipe(name).model_dump(mode="json")
    for change in changes:
        _apply(tree, change)
    recipe = _checked(name, tree)
    return recipe if encoder is None else _with_encoder(recipe, encoder)


def _checked(name: str, tree: Mapping[str, Any]) -> Recipe:
    try:
        return Recipe.model_validate(tree)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise SettingsError(f"{name}: {where}: {first['msg']}{_hint(first)}") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        return read_toml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(
            f"{path}: not TOML ({error}); expected what `recipes show NAME` prints"
        ) from error


def _apply(tree: dict[str, Any], change: str) -> None:
    key, separator, text = change.partition("=")
    path = key.strip().split(".")
    if not separator or not all(path):
        raise SettingsError(f"--set {change}: expected KEY=VALUE, such as training.epochs=3")
    table = tree
    for part in path[:-1]:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise SettingsError(f"--set {change}: {part} is no table")
    table[path[-1]] = _value(text.strip())


def _value(text: str) -> Any:
    if text == "none":
        return None
    try:
        return read_toml_value(text)
    except ValueError:
        return text


def _with_encoder(recipe: Recipe, encoder: str) -> Recipe:
    """Another text encoder, which stands in the network's settings, or in their `text`."""
    from streamproc_mner.recipes.building import network_class

    network = dict(recipe.network)
    text = network.get("text")
    if isinstance(text, Mapping) and text.get("kind") == "transformer":
        network["text"] = {**text, "encoder": encoder}
    elif "encoder" in network_class(recipe).Settings.model_fields:
        network["encoder"] = encoder
    else:
        raise SettingsError(f"--encoder: {recipe.name} has no pretrained encoder")
    return recipe.model_copy(update={"network": network})


def _hint(error: Any) -> str:
    """The nearest key to one that a recipe does not have."""
    if error["type"] != "extra_forbidden":
        return ""
    known: Any = Recipe
    for part in error["loc"][:-1]:
        known = known.model_fields[part].annotation
    fields = getattr(known, "model_fields", {})
    close = get_close_matches(str(error["loc"][-1]), list(fields), n=1)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(fields)}"
