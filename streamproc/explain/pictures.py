"""Pictures in the page: each is written into it once, however many posts show it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from streamproc.html.frame import data_url
from streamproc.html.markup import Html, element
from streamproc.vision.visuals import Modality, Seen, Thumbnail, Visual

BLANK_SIDE: Final = 210
"""Of the sheet that stands for a picture that is not at hand."""

_DRAWN_SIDE: Final = 384


class Pictures:
    """Draws thumbnails and remembers which ones the page has already."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def draw(self, thumbnail: Thumbnail | None, alt: str, *layers: Html) -> Html:
        """A picture with layers over it, in units of its pixels; an empty sheet for `None`."""
        width, height = (thumbnail.width, thumbnail.height) if thumbnail else (BLANK_SIDE, BLANK_SIDE)
        scale = _DRAWN_SIDE / max(width, height) if thumbnail else 1.0
        ground = element("rect", {"class": "sheet", "width": width, "height": height})
        return element(
            "svg",
            {
                "class": "picture",
                "viewBox": f"0 0 {width} {height}",
                "width": width * scale,
                "height": height * scale,
                "role": "img",
                "aria-label": alt,
            },
            self._image(thumbnail) if thumbnail else ground,
            *layers,
        )

    def _image(self, thumbnail: Thumbnail) -> Html:
        name = self._names.get(thumbnail.digest)
        if name is not None:
            return element("use", {"href": f"#{name}"})
        self._names[thumbnail.digest] = name = f"picture-{len(self._names) + 1}"
        return element(
            "image",
            {
                "id": name,
                "href": data_url("jpeg", thumbnail.jpeg),
                "width": thumbnail.width,
                "height": thumbnail.height,
            },
        )


def looked_at(visuals: Mapping[Modality, Visual], modality: Modality | None = None) -> Thumbnail | None:
    """The picture that a model looked at first.

    Args:
        visuals: what the model was shown.
        modality: the one in question, where the model was shown it; else any.
    """
    own = visuals.get(modality) if modality is not None else None
    for visual in (own,) if isinstance(own, Seen) else visuals.values():
        if isinstance(visual, Seen) and visual.thumbnails:
            return visual.thumbnails[0]
    return None
