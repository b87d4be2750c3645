"""Tiles that are looked at again are those that the server was sent."""

from pathlib import Path

import numpy as np
import pytest

from histoserve.client.results.source import source_of
from histoserve.client.slide import open_slide
from histoserve.client.travel.encode import Encoding, encode
from histoserve.ensemble.decode import decode
from histoserve.export.served_pictures import served_pictures

REGIONS = np.array([(0, 0, 256, 256), (300, 128, 256, 256), (944, 744, 256, 256)], np.float32)


def result_of(slide: Path, level: int = 0) -> dict:
    return {"slide": {"name": slide.name, "level_read": level, **source_of(slide).described()}}


@pytest.mark.parametrize("level", [0, 1])
def test_they_are_what_the_decoding_stage_makes_of_the_clients(phantom: Path, level: int) -> None:
    with open_slide(phantom) as slide:
        sent = [encode(slide.read(tuple(region), level), Encoding()) for region in REGIONS.astype(int).tolist()]
    limits = {"max_windows": 8, "max_tiles": 8, "max_pixels": 2**24}
    seen = decode(np.array(sent, object), REGIONS, REGIONS, np.ones(1, np.float32), identity=0, tile_px=224, **limits)

    pictures = served_pictures(phantom, result_of(phantom, level), REGIONS, 224)

    assert np.array_equal(pictures, seen["IMAGE"])
    assert pictures.std() > 5


def test_of_no_tiles_there_are_none(phantom: Path) -> None:
    assert served_pictures(phantom, result_of(phantom), REGIONS[:0], 224).shape == (0, 224, 224, 3)


def test_another_slide_is_refused(phantom: Path) -> None:
    other = {"slide": {"name": "a.tiff", "level_read": 0, "content_sha256": "0", "path_sha256": "0"}}

    with pytest.raises(ValueError, match=r"is not the slide of the result, a.tiff"):
        served_pictures(phantom, other, REGIONS, 224)
