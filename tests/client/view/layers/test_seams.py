"""Tiles drawn one by one are one large drawing cut up, for every kind of layer."""

from collections.abc import Callable

import numpy as np
import pytest
from made_up_layers import CLASSES, decoded, ellipse, scattered, shapes_of
from numpy.typing import NDArray

from histoserve.client.results.layers import Arrows, Card, Cards, Grid, Layer
from histoserve.client.view.layers import tile as tiles
from histoserve.client.view.layers.drawn import DrawnLayer
from histoserve.client.view.layers.tile import TILE_PX, page_size

SIZE = 2311, 1933


def regions() -> Layer:
    outlines = [ellipse(1100, 900, 1050, 700, 9), ellipse(500, 500, 300, 480, 400), *scattered(40, SIZE)]
    return shapes_of([*outlines, np.array([(20.0, 20), (2200, 1800)]), ellipse(2300, 1900, 400, 400)])


def grid() -> Layer:
    values = np.random.default_rng(1).uniform(0, 1, (14, 17)).astype(np.float32)
    values[3, 4] = np.nan
    return Grid("score", values, (11, 7, 133.3, 140.1), (0, 1), "%")


def arrows(heavy: bool) -> Layer:
    ends = np.random.default_rng(2).uniform((0, 0), SIZE, (60, 2)).astype(np.float32)
    return Arrows("ways", ends[:30], ends[30:], (0, 110, 255), heavy)


def cards() -> Layer:
    places = np.random.default_rng(3).uniform((0, 0), SIZE, (30, 2))
    each = [Card(np.array((*place, 90, 60), np.float32), i + 1, i % 2, "", {}) for i, place in enumerate(places)]
    return Cards("cards", "", CLASSES, [*each, Card(each[0].l0_region, 31, 1, "", {})])


LAYERS = {
    "many shapes": lambda: shapes_of(scattered(2500, SIZE)),
    "few shapes": regions,
    "grid": grid,
    "arrows": lambda: arrows(False),
    "heavy arrow": lambda: arrows(True),
    "cards": cards,
    "not seen": grid,
}
SEEN = [(x, y, 100, 100) for x in range(200, 1900, 100) for y in range(0, 1900, 100)]
FAILED = [(1015, 1000, 310, 30), (2000, 1900, 311, 33)]


def whole(layer: DrawnLayer, z: int, monkeypatch: pytest.MonkeyPatch) -> NDArray[np.uint8]:
    """The page at one zoom as one tile."""
    with monkeypatch.context() as patched:
        patched.setattr(tiles, "TILE_PX", 4096)
        patched.setattr(tiles, "deepest", lambda size: z)
        return decoded(layer.tile(z, 0, 0, None, None))


@pytest.mark.parametrize("z", range(4))
@pytest.mark.parametrize("name", LAYERS)
def test_tiles_are_one_drawing_cut_up(
    name: str, z: int, layers_of: Callable[..., dict[str, DrawnLayer]], monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = layers_of(SIZE, LAYERS[name](), seen=SEEN, not_seen=FAILED)
    layer = layers["not-seen" if name == "not seen" else "0"]
    page = whole(layer, z, monkeypatch)
    width, height = page_size(SIZE, z)
    assert page.shape == (height, width, 4)
    assert page.any()
    for y in range(0, height, TILE_PX):
        for x in range(0, width, TILE_PX):
            tile = decoded(layer.tile(z, x // TILE_PX, y // TILE_PX, None, None))
            np.testing.assert_array_equal(tile, page[y : y + TILE_PX, x : x + TILE_PX])
