"""Squares end where their regions do, at every zoom, and none is lost."""

import numpy as np
import pytest
from made_up_layers import page
from numpy.typing import NDArray

from histoserve.client.results.layers import Grid
from histoserve.client.results.palette import colours_of
from histoserve.client.view.layers.found import Found
from histoserve.client.view.layers.squares import DrawnGrid
from histoserve.client.view.layers.tile import deepest

SIZE = 2999, 1501


def shown(grid: Grid, z: int, size: tuple[int, int] = SIZE, least: float | None = None) -> NDArray[np.uint8]:
    """All tiles of a zoom put together: red, green, blue, opacity."""
    return page(DrawnGrid(grid, size), z, size, least)


def checkered(rows: int, columns: int, step: float, first: tuple[float, float] = (0, 0)) -> Grid:
    values = np.indices((rows, columns)).sum(axis=0) % 2
    return Grid("score", values.astype(np.float32), (*first, step, step), (0, 1))


@pytest.mark.parametrize("z", range(4))
@pytest.mark.parametrize("step", [256, 250, 97.3, 33])
def test_squares_neither_gap_nor_overlap_and_end_within_half_a_px_of_their_regions(z: int, step: float) -> None:
    rows, columns = int(-(-SIZE[1] // step)), int(-(-SIZE[0] // step))
    image = shown(checkered(rows, columns, step), z)
    assert (image[..., 3] == 255).all()
    line = image[2 if step / 2**z > 3 else 0, :, 0].astype(int)
    changes = np.flatnonzero(np.abs(np.diff(line)) > 100) + 1
    borders = np.arange(1, columns) * step / 2**z
    if step / 2**z < 40:
        assert len(changes) == len(borders)
        assert np.abs(changes - borders).max() <= 0.5
    else:
        # Numbers in the squares change the colour too.
        assert all(np.abs(changes - border).min() <= 0.5 for border in borders)


@pytest.mark.parametrize("z", range(4))
def test_a_grid_that_ends_with_the_slide_reaches_its_last_px(z: int) -> None:
    image = shown(Grid("score", np.ones((1, 2), np.float32), (0, 0, 2999 / 2, 1501), (0, 1)), z)
    assert (image[..., 3] == 255).all()


def test_colours_are_those_of_the_pictures_and_what_has_no_value_is_transparent() -> None:
    grid = Grid("score", np.array([[0.1, 0.5, np.nan, 0.9]], np.float32), (0, 0, 20, 20), (0, 1))
    image = shown(grid, 0, (80, 20))
    for column, value in ((0, 0.1), (1, 0.5), (3, 0.9)):
        assert image[3, column * 20 + 1].tolist() == [*colours_of(np.array(value), (0, 1)).tolist(), 255]
    assert not image[:, 40:60].any()


def test_below_the_threshold_is_transparent() -> None:
    grid = Grid("score", np.array([[0.1, 0.5, np.nan, 0.9]], np.float32), (0, 0, 20, 20), (0, 1))
    assert (shown(grid, 0, (80, 20), 0.5)[3, ::20, 3] > 0).tolist() == [False, True, False, True]
    assert not shown(grid, 0, (80, 20), 5.0).any()


@pytest.mark.parametrize("column", [0, 1, 500, 998, 999])
def test_the_highest_value_in_a_px_is_seen_where_squares_are_smaller(column: int) -> None:
    values = np.full((400, 1000), np.nan, np.float32)
    values[399, column] = 1
    for z in range(deepest((4000, 1600)) + 1):
        image = shown(Grid("score", values, (0, 0, 4, 4), (0, 1)), z, (4000, 1600))
        rows, columns = np.nonzero(image[..., 3])
        assert len(rows) >= 1
        assert np.abs(columns * 2**z - column * 4).max() <= 2**z + 4
        assert (rows * 2**z >= 1596 - 2**z).all()


@pytest.mark.parametrize(
    ("first", "values"),
    [((0.2, 0.2, 0.1, 0.1), [[1.0]]), ((-500, -500, 2000, 2000), [[1.0]]), ((1498, 1498, 3, 3), [[1.0]])],
)
def test_odd_regions_are_drawn(first: tuple[float, float, float, float], values: list[list[float]]) -> None:
    image = shown(Grid("score", np.array(values, np.float32), first, (0, 1)), 1, (1500, 1500))
    assert image[..., 3].any()


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0)])
def test_a_grid_without_values_is_nothing(shape: tuple[int, int]) -> None:
    assert not shown(Grid("score", np.zeros(shape, np.float32), (0, 0, 9, 9), (0, 1)), 0, (100, 100)).any()


def test_numbers_stand_in_squares_that_have_room() -> None:
    grid = Grid("score", np.full((4, 4), 0.37, np.float32), (0, 0, 256, 256), (0, 1), "%")
    whole = [shown(grid, z, (1024, 1024)) for z in range(2)]
    for image in whole:
        assert len(np.unique(image.reshape(-1, 4), axis=0)) > 2
    grid = Grid("score", np.full((64, 64), 0.37, np.float32), (0, 0, 16, 16), (0, 1), "%")
    assert len(np.unique(shown(grid, 0, (1024, 1024)).reshape(-1, 4), axis=0)) == 1


def test_a_click_finds_the_value_and_its_region() -> None:
    grid = Grid("score", np.array([[0.1, np.nan], [0.25, 0.9]], np.float32), (10, 20, 30, 40), (0, 1), "mm")
    layer = DrawnGrid(grid, (1000, 1000))
    assert layer.at(10, 99.9) == [Found("score", {"mm": 0.25}, [[10, 60], [40, 60], [40, 100], [10, 100]])]
    assert (
        layer.at(45, 25)
        == layer.at(9.9, 30)
        == layer.at(70, 65)
        == layer.at(-1e300, 1e300)
        == layer.at(float("nan"), 30)
        == []
    )


def test_a_grid_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="score: the first region"):
        DrawnGrid(Grid("score", np.ones((2, 2), np.float32), (np.nan, 0, 9, 9), (0, 1)), SIZE)


@pytest.mark.parametrize("turned", [90.0, 30.0])
def test_a_turned_grid_is_seen_and_found_where_it_lies(turned: float) -> None:
    values = np.array([[0.2, 0.4, np.nan], [0.6, 0.8, 1.0]], np.float32)
    grid = Grid("score", values, (200, 50, 40, 40), (0, 1), "", turned)
    image, layer = shown(grid, 0, (400, 300)), DrawnGrid(grid, (400, 300))

    for row, column in np.ndindex(values.shape):
        x, y = grid.l0_outline(row, column).mean(axis=0).tolist()
        found = layer.at(x, y)
        if np.isnan(values[row, column]):
            assert (image[int(y), int(x), 3], found) == (0, [])
        else:
            assert image[int(y), int(x)].tolist() == [*colours_of(values[row, column], (0, 1)).tolist(), 255]
            assert [each.numbers for each in found] == [{"": pytest.approx(values[row, column], abs=1e-6)}]
    assert (image[..., 3] > 0).sum() == pytest.approx(5 * 40 * 40, rel=0.02)
