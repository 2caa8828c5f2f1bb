"""Small copies of pictures: of the right ones, of our own making, and only where asked for."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from streamproc.errors import ExtractorUnavailable
from streamproc.vision.api import Extracted, Picture
from streamproc.vision.sandbox.decode import digest_of
from streamproc.vision.thumbnail import THUMBNAIL_SIDE, thumbnail_of
from streamproc.vision.visuals import Seen
from tests.vision.conftest import LARGE, SMALL, MakeLooker
from tests.vision.extractors import SizeExtractor, size_text
from tests.vision.pictures import data_url, gradient, png_that_claims, saved

BROKEN = data_url(SMALL[:-30])


@pytest.mark.parametrize(
    ("size", "expected"),
    [((64, 48), (64, 48)), ((960, 480), (480, 240)), ((500, 2000), (120, 480)), ((5000, 3), (480, 1))],
)
def test_a_thumbnail_is_a_small_jpeg_of_the_same_picture(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    thumbnail = thumbnail_of(Picture("digest", saved(gradient(*size), "JPEG"), *size))
    with Image.open(BytesIO(thumbnail.jpeg)) as copy:
        assert copy.format == "JPEG"
        assert copy.size == (thumbnail.width, thumbnail.height) == expected
        assert not copy.getexif()
        left, right = (np.asarray(copy, int)[:, column].mean(axis=0) for column in (2, -3))
    assert max(expected) <= THUMBNAIL_SIDE
    assert right[0] - left[0] > 150, "red grows to the right"


async def test_there_is_a_thumbnail_for_each_value_and_none_for_a_picture_that_failed(
    make_looker: MakeLooker,
) -> None:
    looker = make_looker(SizeExtractor())
    urls = (BROKEN, data_url(LARGE), data_url(SMALL))
    seen = (await looker.look(urls, ["ocr"], show=True))["ocr"]
    assert isinstance(seen, Seen)
    assert seen.values == (size_text(30, 40), size_text(10, 20))
    assert [(t.digest, t.width, t.height) for t in seen.thumbnails if t] == [
        (digest_of(LARGE), 30, 40),
        (digest_of(SMALL), 10, 20),
    ]


async def test_a_modality_has_the_thumbnails_of_the_pictures_that_it_was_seen_in(
    make_looker: MakeLooker,
) -> None:
    class OnlyLarge(SizeExtractor):
        async def extract(self, picture: Picture) -> Extracted:
            if picture.digest != digest_of(LARGE):
                raise ExtractorUnavailable("too small")
            return await super().extract(picture)

    looker = make_looker(SizeExtractor(), OnlyLarge("captions"))
    seen = await looker.look((data_url(SMALL), data_url(LARGE)), ["ocr", "captions"], show=True)
    first = {m: visual.thumbnails[0] for m, visual in seen.items() if isinstance(visual, Seen)}
    assert {m: thumbnail.digest for m, thumbnail in first.items() if thumbnail} == {
        "ocr": digest_of(SMALL),
        "captions": digest_of(LARGE),
    }


async def test_nobody_who_does_not_ask_is_shown_anything(make_looker: MakeLooker) -> None:
    looker = make_looker(SizeExtractor())
    assert await looker.look([data_url(LARGE)], ["ocr"]) == {"ocr": Seen((size_text(30, 40),))}


async def test_a_picture_whose_value_is_in_the_cache_is_shown_all_the_same(make_looker: MakeLooker) -> None:
    extractor = SizeExtractor()
    looker = make_looker(extractor)
    await looker.look([data_url(LARGE)], ["ocr"])
    seen = (await looker.look([data_url(LARGE)], ["ocr"], show=True))["ocr"]
    assert isinstance(seen, Seen)
    assert [thumbnail.digest for thumbnail in seen.thumbnails if thumbnail] == [digest_of(LARGE)]
    assert len(extractor.digests) == 1


async def test_a_picture_that_claims_too_many_pixels_has_no_thumbnail(make_looker: MakeLooker) -> None:
    looker = make_looker(SizeExtractor())
    bomb = data_url(png_that_claims(60_000, 60_000))
    assert not isinstance((await looker.look([bomb], ["ocr"], show=True))["ocr"], Seen)
