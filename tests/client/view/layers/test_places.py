"""What is drawn lies where it is on the slide, and a click finds it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_up_layers import CLASSES, coloured, decoded, ellipse, page, scattered, shapes_of
from numpy.typing import NDArray

from histoserve.client.view.layers.drawn import DrawnLayer
from histoserve.client.view.layers.tile import TILE_PX, deepest, page_size, tile_of

SIZE = 9001, 5003
Layers = Callable[..., dict[str, DrawnLayer]]


def middle(opacity: NDArray[np.floating], first: float, last: float) -> float:
    """Of what is drawn along a row between these places; px have their middles at 0.5."""
    places = np.arange(len(opacity)) + 0.5
    drawn = opacity * ((places >= first) & (places <= last))
    return float((drawn * places).sum() / drawn.sum())


@pytest.mark.parametrize("rest", [0, 3000])
def test_20_outlines_lie_within_a_px_of_the_truth_at_every_zoom(rest: int, layers_of: Layers) -> None:
    size = 4301, 2603
    places = [(380.3 + 850.7 * i, 300.9 + 611.3 * j) for i in range(5) for j in range(4)]
    others = [ellipse(x, 2595, 3, 3) for x in np.linspace(10, 4290, rest)]
    layer = layers_of(size, shapes_of([*(ellipse(*place, 18.2, 22.7, 200) for place in places), *others]))["0"]
    assert deepest(size) == 4
    for z in range(5):
        opacity = page(layer, z, size)[..., 3].astype(np.float64)
        for place in np.array(places) / 2**z:
            for along, half in ((0, 18.2 / 2**z), (1, 22.7 / 2**z)):
                line = opacity[int(place[1])] if along == 0 else opacity[:, int(place[0])]
                at = place[along]
                # From 1:8 on there is one dot, before it two sides.
                sides = [(-half, -half - 3, -1), (half, 1, half + 3)] if z < 3 else [(0, -half - 2, half + 2)]
                for truth, first, last in sides:
                    assert middle(line, at + first, at + last) == pytest.approx(at + truth, abs=0.5)


@pytest.mark.parametrize("size", [(1, 1), (512, 512), (513, 100), (2049, 4097), (100_000, 70_001)])
def test_tiles_cover_the_page_and_there_are_no_others(size: tuple[int, int]) -> None:
    for z in range(deepest(size) + 1):
        width, height = page_size(size, z)
        columns, rows = -(-width // TILE_PX), -(-height // TILE_PX)
        assert sum(tile_of(size, z, x, 0).size[0] for x in range(columns)) == width
        assert sum(tile_of(size, z, 0, y).size[1] for y in range(rows)) == height
        for x, y in ((columns, 0), (0, rows), (-1, 0), (0, -1), (10**30, 0)):
            with pytest.raises(ValueError, match="has no tile"):
                tile_of(size, z, x, y)
    assert page_size(size, deepest(size)) <= (TILE_PX, TILE_PX)
    for z in (-1, deepest(size) + 1, 10**9):
        with pytest.raises(ValueError, match="has no tile"):
            tile_of(size, z, 0, 0)


def test_a_click_finds_the_shapes_around_it_the_smallest_first(layers_of: Layers) -> None:
    outlines = [ellipse(100, 100, half, half) for half in (50, 5, 20)] + [ellipse(300, 100, 9, 9)]
    layer = layers_of(SIZE, shapes_of(outlines))["0"]
    found = layer.at(101, 99)
    assert [each.numbers for each in found] == [{"Number": 1.0}, {"Number": 2.0}, {"Number": 0.0}]
    assert [each.name for each in found] == [CLASSES[number].name for number in (1, 0, 0)]
    np.testing.assert_allclose(found[0].l0_outline, outlines[1], atol=0.02)
    assert layer.at(200, 100) == layer.at(-1e300, 1e300) == []
    assert layer.at(float("inf"), 5) == layer.at(5, float("nan")) == []


def test_a_click_finds_ten_at_most(layers_of: Layers) -> None:
    layer = layers_of(SIZE, shapes_of([ellipse(100, 100, half, half) for half in range(5, 45)]))["0"]
    assert [each.numbers["Number"] for each in layer.at(100, 100)] == list(range(10))


def test_numbers_are_not_told_once_the_file_is_another_or_gone(write: Callable[..., Path], reopen: Layers) -> None:
    folder = write(shapes_of([ellipse(100, 100, 9, 9)]))
    layer = reopen(folder, SIZE)["0"]
    write(shapes_of([ellipse(100, 100, 9, 9), ellipse(200, 100, 9, 9)]))
    (found,) = layer.at(100, 100)
    assert (found.name, found.numbers, len(found.l0_outline)) == ("round", {}, 24)
    (folder / "made_up.geojson").unlink()
    assert layer.at(100, 100) == [found]


def test_places_are_those_of_the_whole_slide_whatever_the_viewers_origin(
    write: Callable[..., Path], reopen: Layers
) -> None:
    layer = reopen(write(shapes_of([ellipse(5000, 3000, 9, 9)]), origin=(4000, 2500)), SIZE)["0"]
    assert len(layer.at(5000, 3000)) == 1
    assert decoded(layer.tile(0, 9, 5, None, None)).any()


def test_what_lies_off_the_slide_is_drawn_where_it_reaches_in_or_not_at_all(layers_of: Layers) -> None:
    outlines = [ellipse(-5, 100, 9, 9), ellipse(9003, 5005, 9, 9), ellipse(1e7, -1e7, 9, 9), ellipse(1e30, 0, 9, 9)]
    layer = layers_of(SIZE, shapes_of([*outlines, ellipse(0, 0, 1e12, 1e12)]))["0"]
    for z in range(deepest(SIZE) + 1):
        width, height = page_size(SIZE, z)
        last = decoded(layer.tile(z, (width - 1) // TILE_PX, (height - 1) // TILE_PX, None, None))
        assert decoded(layer.tile(z, 0, 0, None, None))[100 >> z, :4].any()
        assert last[-9:, -9:].any()


def test_a_layer_without_shapes_is_empty_everywhere(layers_of: Layers) -> None:
    layer = layers_of(SIZE, shapes_of([]))["0"]
    assert not decoded(layer.tile(2, 0, 0, None, None)).any()
    assert layer.at(5, 5) == []


def test_classes_are_shown_alone(layers_of: Layers) -> None:
    layer = layers_of(SIZE, shapes_of(scattered(200, (900, 900))))["0"]
    for of, inks in ((frozenset[int](), 0), (frozenset([0]), 1), (frozenset([1]), 1), (frozenset([0, 1, 9]), 2)):
        tile = decoded(layer.tile(1, 0, 0, of, None))
        assert sum(bool(coloured(tile, each.colour).any()) for each in CLASSES) == inks
