"""Draws the demo's pictures: python tools/draw_samples [FOLDER]

Every picture is made from shapes, colours and writing; nothing is copied. The drawn files are
committed, so that the demo needs no fonts; with DejaVu installed a new run gives the same.
"""

from __future__ import annotations

import sys
from pathlib import Path

from drawing import render, save
from prints import PRINTS
from signs import SIGNS

FOLDER = Path(__file__).parents[2] / "streamproc" / "demo" / "samples" / "pictures"


def main(folder: Path) -> None:
    """Draw all pictures, and one that is cut off in the middle of the file."""
    folder.mkdir(parents=True, exist_ok=True)
    for scene in (*PRINTS, *SIGNS):
        save(render(scene), folder / scene.name)
    whole = (folder / PRINTS[0].name).read_bytes()
    (folder / "cut_off.jpg").write_bytes(whole[: len(whole) // 20])


main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
