"""A page of explanations with the demo's pictures: `python -m tests.recipes.explained PAGE.html`.

There is no network here that looks at pictures for vectors, so they are generated: noise, and in the
cells of a picture in which most is to be seen, the vector that stands for a type of entity. Tiny
networks are taught to read such pictures, and tag made posts in the pipeline, each with a picture of
the demo; the page shows whether they looked where there was something to be seen.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Final
from unittest.mock import patch

import numpy as np
from click.testing import CliRunner

import streamproc.demo
from streamproc.cli.main import cli
from streamproc.vision.api import Extracted, Extractor, Picture
from streamproc.vision.engine import decode_jpeg
from streamproc.vision.visuals import Value
from streamproc_mner.recipes.recipe import find_recipe
from tests.recipes.checks import build
from tests.recipes.encoders import make_encoders
from tests.recipes.learning import learn
from tests.recipes.made_posts import CELLS, TYPES, prototypes
from tests.recipes.tiny import WIDTH

PICTURES: Final = Path(streamproc.demo.__file__).parent / "samples" / "pictures"
SIDE: Final = 7
TELLING: Final = 8

POSTS: Final = (
    ("in the photo kevin durant", "scoreboard.jpg"),
    ("news of paris and the google", "concert_poster.jpg"),
    ("harry potter at the warriors", "river_sign.jpg"),
    ("the london is in london", "street_sign.png"),
    ("a photo of nasa", "museum_banner.jpg"),
    ("is durant in paris", None),
)
"""Texts that tell no types, and a picture of the demo."""


def type_of(digest: str) -> str:
    """The type that a picture stands for, by chance and for good."""
    return TYPES[int(digest[:8], 16) % len(TYPES)]


def telling_cells(picture: Picture) -> list[int]:
    """The cells in which most is to be seen: those whose pixels differ most."""
    pixels = decode_jpeg(picture.jpeg)
    height, width = pixels.shape[:2]
    rows, columns = (np.linspace(0, size, SIDE + 1).astype(int) for size in (height, width))
    busy = [
        float(pixels[rows[r] : rows[r + 1], columns[c] : columns[c + 1]].std())
        for r in range(SIDE)
        for c in range(SIDE)
    ]
    return np.argsort(busy)[::-1][:TELLING].tolist()


class GeneratedGrid(Extractor):
    """Makes up a grid of cells for a picture."""

    name = "grid"
    modality = "grid"

    async def version(self) -> str:
        return "generated"

    async def extract(self, picture: Picture) -> Extracted:
        return Extracted(self._make(picture), "generated")

    @staticmethod
    def _make(picture: Picture) -> Value:
        cells = np.random.default_rng(int(picture.digest[:8], 16)).normal(0.0, 0.3, (CELLS, WIDTH))
        cells[telling_cells(picture)] += prototypes(WIDTH)[TYPES.index(type_of(picture.digest))]
        return cells.astype(np.float16)


def draw(recipe_name: str, folder: Path, page: Path) -> list[dict[str, object]]:
    """Teach a recipe's tiny network, tag the posts with it, write the page.

    Args:
        recipe_name: of a recipe that reads `grid`.
        folder: for the model and the posts.
        page: of explanations.

    Returns:
        The tagged posts.
    """
    recipe = find_recipe(recipe_name)
    (folder / "encoders").mkdir()
    learn(build(recipe, make_encoders(folder / "encoders")), folder / "model")
    posts = [
        {"platform": "made", "id": str(number), "text": text, "media": _media(picture)}
        for number, (text, picture) in enumerate(POSTS, start=1)
    ]
    (folder / "posts.jsonl").write_text("".join(json.dumps(post) + "\n" for post in posts))
    plugin = f'plugins.tiny={{plugin="{recipe.plugin}", model="{folder / "model"}"}}'
    with patch("streamproc.wiring.open_extractors", lambda vision, wants: [GeneratedGrid()]):
        run = CliRunner().invoke(
            cli,
            ["tag", str(folder / "posts.jsonl"), "--plugin", "tiny", "--look", "always",
             "--pictures", str(PICTURES), "--explain", str(page),
             "--set", plugin],
            catch_exceptions=False,
        )  # fmt: skip
    if run.exit_code:
        raise RuntimeError(run.output)
    return [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]


def _media(picture: str | None) -> list[dict[str, str]]:
    return [{"type": "image", "url": f"file:{picture}"}] if picture else []


if __name__ == "__main__":
    names = sys.argv[2:] or ["adacan-bert-crf"]
    with tempfile.TemporaryDirectory() as scratch:
        for tagged in draw(names[0], Path(scratch), Path(sys.argv[1])):
            sys.stdout.write(f"{tagged['post_id']}: {tagged['entities']}\n")
