"""Writes a plugin package that works from the template beside this file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Final

from streamproc import __version__
from streamproc.errors import SettingsError
from streamproc.fusion.discovery import model_names, plugin_names

_TEMPLATE: Final = Path(__file__).parent / "template"
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST_NAME: Final = 40


def make_plugin(name: str, folder: Path, modalities: Sequence[str]) -> list[Path]:
    """Write the package of a plugin.

    Args:
        name: of the plugin, lower case with hyphens.
        folder: where it goes; made where it is not there.
        modalities: what its model reads beside the text, all optional.

    Returns:
        The files, in order.

    Raises:
        SettingsError: the name or the folder cannot be used.
    """
    check_name(name)
    _check_folder(folder)
    values = _values(name, modalities)
    files = []
    for source in sorted(_TEMPLATE.rglob("*.template")):
        target = folder / _target(source, values["package"])
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(Template(source.read_text("utf-8")).substitute(values), "utf-8")
        except OSError as error:
            raise SettingsError(f"cannot write {target}: {error.strerror}") from None
        files.append(target)
    return files


def check_name(name: str) -> None:
    """See that a new plugin can have this name.

    Raises:
        SettingsError: it is not written as plugins' names are, or somebody has it.
    """
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        likely = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-0123456789")[:_LONGEST_NAME].rstrip("-")
        hint = f", such as {likely}" if _NAME.fullmatch(likely) else ""
        raise SettingsError(
            f"plugin name {name!r}: expected at most {_LONGEST_NAME} lower-case letters and digits, "
            f"words joined by hyphens{hint}"
        )
    if name == "none":
        raise SettingsError(
            "plugin name 'none': a route that says none skips its posts; choose another name"
        )
    for kind, names in (("plugin", plugin_names()), ("model", model_names())):
        if name in names:
            raise SettingsError(
                f"plugin name {name!r} is taken by an installed {kind}: choose another name, "
                "`streamproc plugins list` shows all that are taken"
            )
    if find_spec(_package(name)) is not None:
        raise SettingsError(
            f"plugin name {name!r}: there is a Python package {_package(name)} already; choose another name"
        )


def _check_folder(folder: Path) -> None:
    """A folder that holds nothing but a fresh git repository is empty too."""
    try:
        if folder.exists() and any(entry.name != ".git" for entry in folder.iterdir()):
            raise SettingsError(f"folder {folder} is not empty: give another one with --dir, or empty it")
    except OSError as error:
        raise SettingsError(f"cannot read folder {folder}: {error.strerror}") from None


def _package(name: str) -> str:
    # The prefix keeps a plugin named `json` from hiding Python's own json.
    return f"streamproc_{name.replace('-', '_')}"


def _values(name: str, modalities: Sequence[str]) -> dict[str, str]:
    quoted = ", ".join(f'"{modality}"' for modality in modalities)
    return {
        "name": name,
        "distribution": f"streamproc-{name}",
        "package": _package(name),
        "release": __version__,
        "modalities": quoted + ("," if len(modalities) == 1 else ""),
        "modality_list": ", ".join(f"`{modality}`" for modality in modalities),
    }


def _target(source: Path, package: str) -> Path:
    """`package/model.py.template` → `streamproc_name/model.py`, `gitignore` → `.gitignore`."""
    folder, *rest = source.relative_to(_TEMPLATE).with_suffix("").parts
    if folder == "gitignore":
        return Path(".gitignore")
    return Path(package if folder == "package" else folder, *rest)
