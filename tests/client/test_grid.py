"""Cores partition a slide; regions show them with their margin."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoserve.client.grid import Cores, PlannedTile, TileSize, grid, tile_size

lengths = st.integers(1, 30)
sizes = st.builds(lambda margin, step: TileSize(step + 2 * margin, margin), st.integers(0, 6), st.integers(1, 12))


def test_a_slide_of_five_by_five_by_hand() -> None:
    tiles = list(grid(5, 5, TileSize(side=3, margin=1)))

    assert [tile.core for tile in tiles] == [
        (0, 0, 2, 2), (2, 0, 1, 2), (3, 0, 2, 2),
        (0, 2, 2, 1), (2, 2, 1, 1), (3, 2, 2, 1),
        (0, 3, 2, 2), (2, 3, 1, 2), (3, 3, 2, 2),
    ]  # fmt: skip
    assert [tile.region[:2] for tile in tiles] == [(x, y) for y in (0, 1, 2) for x in (0, 1, 2)]
    assert [tile.index for tile in tiles] == list(range(9))


def test_the_last_region_is_shifted_onto_the_slide() -> None:
    tiles = list(grid(6, 3, TileSize(side=4, margin=1)))

    assert [(tile.region, tile.core) for tile in tiles] == [
        ((0, 0, 4, 4), (0, 0, 3, 3)),
        ((2, 0, 4, 4), (3, 0, 3, 3)),
    ]


def test_a_slide_smaller_than_a_tile_is_one_tile() -> None:
    assert list(grid(5, 7, TileSize(side=10, margin=2))) == [PlannedTile(0, (0, 0, 10, 10), (0, 0, 5, 7))]


@settings(deadline=None)
@given(lengths, lengths, sizes)
def test_cores_partition_the_slide(width: int, height: int, size: TileSize) -> None:
    times = np.zeros((height, width), int)
    for tile in grid(width, height, size):
        x, y, w, h = tile.core
        assert min(x, y) >= 0 < min(w, h)
        times[y : y + h, x : x + w] += 1

    assert (times == 1).all()


@settings(deadline=None)
@given(lengths, lengths, sizes)
def test_regions_hold_core_and_margin_as_far_as_the_slide_reaches(width: int, height: int, size: TileSize) -> None:
    for tile in grid(width, height, size):
        for axis, length in enumerate((width, height)):
            start, end = tile.region[axis], tile.region[axis] + tile.region[axis + 2]
            assert start <= max(0, tile.core[axis] - size.margin)
            assert end >= min(length, tile.core[axis] + tile.core[axis + 2] + size.margin)


@settings(deadline=None)
@given(lengths, lengths, sizes)
def test_regions_lie_on_the_slide_if_they_fit(width: int, height: int, size: TileSize) -> None:
    for tile in grid(width, height, size):
        for axis, length in enumerate((width, height)):
            assert tile.region[axis] >= 0
            assert tile.region[axis] + size.side <= max(length, size.side)


@pytest.mark.parametrize(
    ("slide_mpp", "side", "margin"),
    [(0.25, 256, 16), (0.5, 128, 8), (0.499, 128, 9), (0.2273, 282, 18), (0.1, 640, 40)],
)
def test_a_tile_keeps_its_physical_size(slide_mpp: float, side: int, margin: int) -> None:
    assert tile_size(256, 0.25, 16, slide_mpp) == TileSize(side, margin)


def test_a_margin_that_leaves_no_core_is_refused() -> None:
    with pytest.raises(ValueError, match="no core"):
        tile_size(64, 0.25, 32, 0.25)


@settings(deadline=None)
@given(lengths, lengths, sizes, st.integers(2, 7))
def test_regions_begin_at_whole_pixels_of_a_coarser_level(width: int, height: int, size: TileSize, unit: int) -> None:
    size = TileSize(size.side * unit, size.margin * unit, unit)
    for tile in grid(width, height, size):
        for axis, length in enumerate((width, height)):
            start, core = tile.region[axis], tile.core[axis]
            assert start % unit == 0
            assert start <= max(0, core - size.margin)
            assert start + size.side >= min(length, core + tile.core[axis + 2] + size.margin)
            assert start + size.side < max(length, size.side) + unit


def test_a_tile_is_a_whole_number_of_a_levels_pixels() -> None:
    assert tile_size(512, 0.25, 32, 0.0623, 4) == TileSize(2056, 132, 4)


@pytest.mark.parametrize(
    ("size", "starts"),
    [
        ((100, 100), [(0, 0)]),
        ((99, 100), []),
        ((250, 199), [(0, 0), (100, 0)]),
        ((200, 200), [(0, 0), (100, 0), (0, 100), (100, 100)]),
    ],
)
def test_whole_tiles_leave_out_what_the_border_would_cut(size: tuple[int, int], starts: list[tuple[int, int]]) -> None:
    tiles = list(grid(*size, TileSize(100, 0), whole=True))

    assert [tile.region for tile in tiles] == [(*start, 100, 100) for start in starts] == [tile.core for tile in tiles]


@settings(deadline=None)
@given(lengths, lengths, sizes, st.booleans(), st.data())
def test_some_tiles_of_a_grid_are_as_a_list_of_them(
    width: int, height: int, size: TileSize, whole: bool, data: st.DataObject
) -> None:
    every = grid(width, height, size, whole)
    wanted = {tile.index for tile in every if data.draw(st.booleans())}
    some, listed = every.where(lambda tile: tile.index in wanted), [tile for tile in every if tile.index in wanted]

    assert some == listed
    assert (len(some), some[::2], some[-1:]) == (len(listed), listed[::2], listed[-1:])
    assert [some[position] for position in range(len(some))] == listed
    positions = {tile.index: position for position, tile in enumerate(listed)}
    assert all(some.position(index) == positions.get(index) for index in range(-1, len(every) + 1))
    assert some.at(np.arange(1, len(some), 2)) == listed[1::2]
    assert Cores(some) == [tile.core for tile in listed]


def test_tiles_of_a_grid_are_not_those_of_another() -> None:
    tiles = grid(9, 9, TileSize(3, 0))

    assert tiles != grid(9, 9, TileSize(3, 1))
    assert tiles != list(tiles)[:-1]
    assert tiles != 9


def test_a_million_tiles_take_eight_bytes_each() -> None:
    tracemalloc.start()
    tiles = grid(10**6, 10**6, TileSize(1000, 0))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(tiles) == 10**6
    assert held < 9 * 10**6
    assert tiles[999_999] == PlannedTile(999_999, (999_000, 999_000, 1000, 1000), (999_000, 999_000, 1000, 1000))
