"""Pyramids: a level shows what it should at the place it should, is read from elsewhere, or is not used; and bounds."""

import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from histoserve.client.errors import UnreadableRegion
from histoserve.client.formats.levels import common_downsample
from histoserve.client.grid import grid, tile_size
from histoserve.client.slide import open_slide

TILE: dict[str, Any] = {"tile": (64, 64), "photometric": "rgb"}


def waves(width: int, height: int, step: float) -> NDArray[np.uint8]:
    """RGB whose red rises and falls with x and green with y by 7 for each `step` px: a shift by a step shows."""
    x, y = (7 * np.abs((np.arange(length) / step + 32) % 64 - 32) for length in (width, height))
    return np.dstack([np.broadcast_to(x, (height, width)), np.broadcast_to(y[:, None], (height, width)),
                      np.full((height, width), 90)]).astype(np.uint8)  # fmt: skip


def pyramid(path: Path, *levels: NDArray[np.uint8]) -> Path:
    with tifffile.TiffWriter(path) as tiff:
        for number, level in enumerate(levels):
            tiff.write(level, subfiletype=int(number > 0), metadata=None, **TILE)
    return path


def texture(width: int, height: int, seed: int = 0) -> NDArray[np.uint8]:
    blobs = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    return cv2.resize(blobs, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


def shrunk(image: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    size = image.shape[1] // factor, image.shape[0] // factor
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(2, 9), st.integers(100, 600), st.integers(40, 90), st.tuples(st.floats(0, 0.99), st.floats(0, 0.99)),
       st.booleans())  # fmt: skip
def test_a_tile_of_a_coarse_level_shows_its_region(
    tmp_path: Path, factor: int, columns: int, rows: int, rest: tuple[float, float], up: bool
) -> None:
    l0 = [factor * n + int(factor * part) for n, part in zip((columns, rows), rest, strict=True)]
    size = [math.ceil(n / factor) if up else n // factor for n in l0]
    level = waves(*size, step=1)
    path = pyramid(tmp_path / "a.tif", waves(*l0, step=factor), level)

    with open_slide(path) as slide:
        assert slide.downsamples == (1, factor)
        tiles = list(grid(*slide.l0_size, tile_size(32, 0.25 * factor, 4, 0.25, slide.unit(1))))
        for tile in (tiles[0], tiles[len(tiles) // 2], tiles[-1]):
            x, y, width, height = (each // factor for each in tile.region)
            assert all(each % factor == 0 for each in tile.region)
            expected = level[y : y + height, x : x + width].astype(int)
            found = slide.read(tile.region, 1)[: expected.shape[0], : expected.shape[1]]
            # Half a level-0 pixel is at most a quarter of a step of 7, and colours are rounded; borders are white.
            assert np.abs(found - expected)[1:-1, 1:-1].max(initial=0) <= 4


def test_a_factor_is_what_both_sides_allow() -> None:
    assert common_downsample((5001, 1303), (1250, 325)) == 4
    assert common_downsample((5001, 1303), (1251, 326)) == 4
    assert common_downsample((100_003, 20_003), (25_000, 5000)) == 4
    assert common_downsample((2500, 2500), (1000, 1000)) == 2.5
    assert common_downsample((5000, 1300), (3072, 1024)) is None
    assert common_downsample((64, 64), (1, 1)) == 64


def test_a_level_of_another_shape_is_not_used(tmp_path: Path) -> None:
    image = texture(1000, 400)
    padded = np.full((256, 576, 3), 255, np.uint8)
    padded[:200, :500] = shrunk(image, 2)

    with open_slide(pyramid(tmp_path / "a.tif", image, padded, shrunk(image, 4))) as slide:
        assert slide.downsamples == (1, 4)
        assert "Level 1 (576×256) is not used" in slide.dropped_levels[0]


def displaced(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Padded so that both sides still agree: half the size would be stated as 0.6 of it."""
    level = np.full((image.shape[0] * 6 // 10, image.shape[1] * 6 // 10, 3), 255, np.uint8)
    half = shrunk(image, 2)
    level[: half.shape[0], : half.shape[1]] = half
    return level


@pytest.mark.parametrize(
    "level",
    [displaced, lambda image: texture(500, 200, seed=1), lambda image: np.zeros((200, 500, 3), np.uint8)],
    ids=["padded", "another slide", "black"],
)
def test_a_level_that_shows_something_else_is_not_used(tmp_path: Path, level: Any) -> None:
    image = texture(1000, 400)

    with open_slide(pyramid(tmp_path / "a.tif", image, level(image))) as slide:
        assert slide.downsamples == (1,)
        assert "does not show" in slide.dropped_levels[0]


@pytest.mark.parametrize("how", [cv2.INTER_NEAREST, cv2.INTER_AREA, cv2.INTER_CUBIC])
def test_by_whichever_filter_a_level_was_made_it_is_used(tmp_path: Path, how: int) -> None:
    image = texture(1600, 800)
    image[:, :800] = 242
    noise = np.random.default_rng(1).normal(0, 8, image.shape)
    image = (image + noise).clip(0, 255).astype(np.uint8)
    levels = [cv2.resize(image, (1600 // f, 800 // f), interpolation=how).astype(np.uint8) for f in (4, 16)]

    with open_slide(pyramid(tmp_path / "a.tif", image, *levels)) as slide:
        assert (slide.downsamples, slide.dropped_levels) == ((1, 4, 16), [])


@pytest.fixture
def holed(tmp_path: Path) -> Path:
    """A pyramid of 1024×512, 512×256 and 256×128; the second tile of its second level has no bytes."""
    image = texture(1024, 512)
    path = pyramid(tmp_path / "a.tif", image, shrunk(image, 2), shrunk(image, 4))
    with tifffile.TiffFile(path) as tiff:
        tag = tiff.pages[1].tags["TileByteCounts"]
        at = tag.valueoffset + tag.valuebytecount // tag.count
    data = bytearray(path.read_bytes())
    data[at : at + 2] = bytes(2)
    path.write_bytes(data)
    return path


def test_what_a_level_cannot_give_comes_from_a_finer_one_and_is_counted(holed: Path) -> None:
    with open_slide(holed) as slide:
        slide.read_elsewhere.clear()
        pixels = slide.read((0, 0, 1024, 512), 1)

        np.testing.assert_allclose(pixels, shrunk(texture(1024, 512), 2), atol=1)
        assert slide.read_elsewhere == {1: 1}
        slide.read((512, 256, 256, 256), 1)
        assert slide.read_elsewhere == {1: 1}


def test_the_finest_level_has_nothing_to_stand_in_for_it(holed: Path) -> None:
    with open_slide(holed) as slide:
        slide._tables[(1024, 512)].missing[0, 3] = True
        with pytest.raises(UnreadableRegion):
            slide.read((200, 0, 20, 20), 0)
        with pytest.raises(UnreadableRegion):
            slide.read((200, 0, 20, 20), 1)


def test_a_damaged_tile_of_a_real_kind_of_pyramid(odd: Path) -> None:
    with open_slide(odd / "k.tif") as slide:
        pixels = slide.read((0, 0, 5000, 1300), 1).astype(int)
        expected = cv2.resize(slide.read((0, 0, 5000, 1300), 0), (2500, 650), interpolation=cv2.INTER_AREA)

    assert np.abs(pixels - expected).mean() < 3
    assert slide.read_elsewhere[1] >= 1


def test_bounds_are_named_and_are_where_a_viewer_counts_from(odd: Path) -> None:
    with open_slide(odd / "a.scn") as slide, open_slide(odd / "he.tiff") as he:
        assert (slide.l0_size, slide.bounds, slide.viewer_origin) == (
            (4000, 4000),
            (1500, 900, 1200, 1000),
            (1500, 900),
        )
        scanned = slide.read(slide.bounds, 0).astype(int)
        assert np.abs(scanned - he.read((0, 0, 1200, 1000), 0)).mean() < 2
        assert (slide.read((0, 0, 1500, 900), 0) == 255).all()
        assert (he.bounds, he.viewer_origin) == (None, (0, 0))
