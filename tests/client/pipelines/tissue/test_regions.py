"""Regions of tiles with numbers that a person can check."""

import numpy as np
import pytest
from tissue_wire import colours_of, shares_of

from histoserve.client.pipelines.tissue.regions import Region, Tiles, regions_of
from histoserve.ensemble.tissue.slide import tissue_slide

SIDE, MPP = 100, 5.0
"""A tile is half a millimetre wide."""


def tiles_of(picture: str, corner: tuple[int, int] = (0, 0)) -> Tiles:
    """A tile for each letter; dots are no tiles."""
    places = [(y, x) for y, row in enumerate(picture.split()) for x, letter in enumerate(row) if letter != "."]
    regions = [(corner[0] + x * SIDE, corner[1] + y * SIDE, SIDE, SIDE) for y, x in places]
    colours = colours_of(picture)
    return Tiles(np.array(regions, np.float32), shares_of(np.array([colours[place] for place in places])))


def found(tiles: Tiles) -> list[Region]:
    network = np.array([[7]], np.int32)
    answer = tissue_slide(tiles.probability, tiles.l0_regions, network, k=3, threshold=0.5)
    return regions_of(tiles, answer["GROUP"], MPP)


def test_a_region_has_place_area_and_the_likeliest_class_of_its_tiles() -> None:
    [region] = found(tiles_of("nnnn nscn nsnn", (300, 200)))

    assert region.l0_region.tolist() == [400, 300, 200, 200]
    assert (region.number, region.tiles, region.mm2) == (1, 3, pytest.approx(0.75))
    assert region.of == 1
    assert region.highest == pytest.approx(0.92)
    assert region.mean == pytest.approx((2 * 0.92 + 0.84) / 3)


def test_the_worst_is_the_first_and_tiles_that_touch_by_a_corner_are_one() -> None:
    regions = found(tiles_of("c.... ....s ...s."))

    assert [(each.tiles, each.of) for each in regions] == [(2, 1), (1, 2)]
    assert [len(each.l0_parts) for each in regions] == [2, 1]
    assert regions[0].l0_region.tolist() == [300, 100, 200, 200]


def test_the_raster_begins_with_the_first_row_and_column_that_have_a_tile() -> None:
    tiles = tiles_of(".n .. s.", (500, 0))

    assert tiles.l0_first == (500, 0, SIDE, SIDE)
    np.testing.assert_allclose(tiles.raster(), [[np.nan, 0.24], [np.nan, np.nan], [0.92, np.nan]], atol=1e-6)


def test_a_slide_without_abnormal_tiles_has_no_region() -> None:
    assert found(tiles_of("nn nn")) == []
