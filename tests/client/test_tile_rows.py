"""Rows of which each tile has one: by tile, whatever requests they came in, and in little memory."""

import random
import tracemalloc

import numpy as np

from histoserve.client.grid import TileSize, grid
from histoserve.client.tile_rows import TileRows

TILES = grid(40, 30, TileSize(10, 0))


def test_rows_do_not_depend_on_when_they_came() -> None:
    values = np.random.default_rng(0).random((len(TILES), 3), np.float32)
    order = random.Random(1).sample(range(len(TILES)), len(TILES))
    rows = TileRows()
    for some in (order[:1], order[1:5], order[5:]):
        rows.put([TILES[i] for i in some], values[some])

    regions, found = rows.ordered()
    assert regions.tolist() == [list(tile.region) for tile in TILES]
    np.testing.assert_array_equal(found, values)
    assert (regions.dtype, found.dtype) == (np.float32, np.float32)


def test_of_a_tile_that_comes_again_the_last_row_counts() -> None:
    rows = TileRows()
    for value in (0.25, 0.5, 0.75):
        rows.put([TILES[2], TILES[1]], np.array([value, value + 0.125], np.float32))

    regions, values = rows.ordered()
    assert values.tolist() == [0.875, 0.75]
    assert regions[:, 0].tolist() == [10, 20]


def test_there_may_be_none() -> None:
    rows = TileRows()
    assert not rows
    assert rows.ordered()[0].shape == (0, 4)

    rows.put([TILES[0]], np.ones(1, np.float32))
    assert rows


def test_a_tile_takes_few_bytes_even_if_it_comes_alone() -> None:
    tiles = grid(1000, 1000, TileSize(10, 0))
    tracemalloc.start()
    rows = TileRows()
    for tile in tiles:
        rows.put([tile], np.ones((1, 2), np.float32))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    # Some more, as arrays grow by steps.
    assert held < 1.2 * 32 * len(tiles)
