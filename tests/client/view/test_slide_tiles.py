"""Tiles of a slide: at the exact place at any zoom, whatever the slide's own levels are."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from histoserve.client.errors import UnreadableRegion
from histoserve.client.slide import UNREAD, Slide, open_slide
from histoserve.client.view import slide_tiles
from histoserve.client.view.slide_tiles import draw_tile
from histoserve.client.view.zoom import deepest, tile_at

WIDTH, HEIGHT = 2310, 575
LEVELS: dict[str, dict[float, tuple[int, int]]] = {
    "none": {},
    "powers": {2: (1155, 287), 4: (577, 143), 8: (288, 71)},
    "odd ones, rounded down": {3: (770, 191), 9: (256, 63)},
    "rounded up": {4: (578, 144), 16: (145, 36)},
    "a half": {2.5: (924, 230)},
    "little": {1.2: (1925, 479), 6.6: (350, 87)},
}


def texture(width: int, height: int) -> NDArray[np.uint8]:
    """Blobs large enough for a place to be told from them at every zoom."""
    blobs = np.random.default_rng(1).integers(30, 226, (height // 40 + 2, width // 40 + 2, 3), np.uint8)
    return cv2.resize(blobs, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


def exact(image: NDArray[np.uint8], z: int) -> NDArray[np.float64]:
    """The mean of what each px of level z shows; of the last ones, of what of it is there."""
    scale = 1 << z
    down, across = (-(-length // scale) * scale - length for length in image.shape[:2])
    padded = np.pad(image.astype(np.float64), ((0, down), (0, across), (0, 0)), constant_values=np.nan)
    blocks = padded.reshape(padded.shape[0] // scale, scale, padded.shape[1] // scale, scale, 3)
    return np.asarray(np.nanmean(blocks, axis=(1, 3)))


def drawn(slide: Slide, z: int) -> NDArray[np.uint8]:
    """All tiles of a level put together."""
    rows = []
    y = 0
    while tile_at(slide.l0_size, z, 0, y):
        row, x = [], 0
        while tile := tile_at(slide.l0_size, z, x, y):
            row.append(draw_tile(slide, tile).pixels)
            x += 1
        rows.append(np.hstack(row))
        y += 1
    return np.vstack(rows)


def shift(one: NDArray[Any], other: NDArray[Any]) -> tuple[float, float]:
    """Px by which `one` lies to the right of and below `other`: least squares on the gradient."""
    grey = other.mean(2)
    dy, dx = np.gradient(grey)
    inner = (slice(2, -2), slice(2, -2))
    columns = np.column_stack([-dx[inner].ravel(), -dy[inner].ravel()])
    found = np.linalg.lstsq(columns, (one.mean(2) - grey)[inner].ravel(), rcond=None)[0]
    return float(found[0]), float(found[1])


@pytest.mark.parametrize("levels", LEVELS.values(), ids=LEVELS.keys())
def test_every_zoom_shows_each_place_where_it_is(tmp_path: Path, pyramid: Callable[..., Path], levels: Any) -> None:
    image = texture(WIDTH, HEIGHT)

    with open_slide(pyramid(tmp_path / "a.tif", image, levels)) as slide:
        assert len(slide.downsamples) == 1 + len(levels)
        for z in range(deepest(slide.l0_size) + 1):
            picture, truth = drawn(slide, z), exact(image, z)
            assert picture.shape == truth.shape
            assert max(map(abs, shift(picture, truth))) < 0.1
            assert np.abs(picture - truth).mean() < 1.5


def test_without_levels_a_pixel_is_the_mean_of_what_it_shows(tmp_path: Path, pyramid: Callable[..., Path]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (700, 1030, 3), np.uint8)

    with open_slide(pyramid(tmp_path / "a.tif", image, {})) as slide:
        np.testing.assert_array_equal(drawn(slide, 0), image)
        for z in (1, 2):
            inside = exact(image, z)[: 700 >> z, : 1030 >> z]
            np.testing.assert_allclose(drawn(slide, z)[: 700 >> z, : 1030 >> z], inside, atol=0.51)


def test_the_last_pixel_of_a_border_is_not_mixed_with_white(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((1025, 1026, 3), 40, np.uint8))

    with open_slide(tmp_path / "a.png") as slide:
        assert all((drawn(slide, z) == 40).all() for z in range(3))


def test_drawn_in_blocks_it_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), texture(1500, 1100))

    with open_slide(tmp_path / "a.png") as slide:
        whole = drawn(slide, 2)
        monkeypatch.setattr(slide_tiles, "BLOCK_PX", 128)
        np.testing.assert_array_equal(drawn(slide, 2), whole)


def test_what_cannot_be_read_is_grey_and_the_rest_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((512, 512, 3), 200, np.uint8))
    slide = open_slide(tmp_path / "a.png")
    read = slide.read

    def fail(l0_region: Any, level: int) -> Any:
        x, y, width, height = l0_region
        if x < 20 < x + width and y < 20 < y + height:
            raise UnreadableRegion("here")
        return read(l0_region, level)

    monkeypatch.setattr(slide, "read", fail)
    tile = tile_at(slide.l0_size, 0, 0, 0)
    assert tile
    pixels, whole = draw_tile(slide, tile)

    assert not whole
    assert (pixels[:100, :100] == UNREAD).all()
    assert (pixels[180:] == 200).all()
    assert (pixels[:, 180:] == 200).all()


def test_a_long_thin_slide_has_its_coarsest_tile(tmp_path: Path) -> None:
    image = texture(20_000, 12)
    cv2.imwrite(str(tmp_path / "a.png"), image)

    with open_slide(tmp_path / "a.png") as slide:
        z = deepest(slide.l0_size)
        picture = drawn(slide, z)
        assert picture.shape == (1, 313, 3)
        np.testing.assert_allclose(picture[..., ::-1][:, :-1], exact(image, z)[:, :-1], atol=12)
