"""The picture of a whole slide: the right place, the right colours, and no grey but where nothing can be read."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from histoserve.client.errors import SlideError
from histoserve.client.slide import UNREAD, open_slide
from histoserve.client.survey import survey_slide
from histoserve.client.thumbnail import thumbnail_of


def write_tiled(path: Path, image: NDArray[np.uint8]) -> None:
    tifffile.imwrite(path, image, tile=(256, 256), resolution=(40000, 40000), resolutionunit="CENTIMETER")


@pytest.fixture
def blocks() -> NDArray[np.uint8]:
    """2048 px square, each 64 px of a colour of their own."""
    return np.random.default_rng(0).integers(0, 100, (32, 32, 3), np.uint8).repeat(64, 0).repeat(64, 1)


@pytest.mark.parametrize("longest", [1000, 128, 100, 50])
def test_the_thumbnail_shows_the_whole_slide_in_place(tmp_path: Path, blocks: NDArray[np.uint8], longest: int) -> None:
    write_tiled(tmp_path / "slide.tif", blocks)

    with open_slide(tmp_path / "slide.tif") as slide:
        # Large thumbnails are read on their own, small ones put together from the mask's squares (128 across).
        thumbnail = survey_slide(slide, 0.25, longest, 2).thumbnail

    expected = cv2.resize(blocks, (longest, longest), interpolation=cv2.INTER_AREA)
    assert thumbnail.shape == expected.shape
    assert np.abs(thumbnail.astype(int) - expected).mean() < 2


def test_a_small_slide_is_its_own_thumbnail(tmp_path: Path, blocks: NDArray[np.uint8]) -> None:
    cv2.imwrite(str(tmp_path / "small.png"), blocks[:500, :700])

    with open_slide(tmp_path / "small.png") as slide:
        np.testing.assert_array_equal(thumbnail_of(slide, 2048, 1), blocks[:500, :700, ::-1])


@pytest.mark.parametrize("longest", [2048, 128])
def test_only_a_damaged_tile_is_grey(tmp_path: Path, blocks: NDArray[np.uint8], longest: int) -> None:
    write_tiled(tmp_path / "slide.tif", blocks)
    data = bytearray((tmp_path / "slide.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "slide.tif") as tiff:
        tag = tiff.pages[0].tags["TileOffsets"]
    data[tag.valueoffset : tag.valueoffset + 4] = (2**31).to_bytes(4, "little")
    (tmp_path / "slide.tif").write_bytes(data)

    with open_slide(tmp_path / "slide.tif") as slide:
        grey = (survey_slide(slide, 0.25, longest, 2).thumbnail == UNREAD).all(axis=2)

    assert grey[: longest // 8, : longest // 8].all()
    assert grey.sum() == (longest // 8) ** 2


def test_a_slide_of_which_nothing_can_be_read_is_refused(shared: Path) -> None:
    with open_slide(shared / "slides/damaged/unreadable.svs") as slide, pytest.raises(SlideError, match="Nothing of"):
        survey_slide(slide, 0.5, 2048, 2)
