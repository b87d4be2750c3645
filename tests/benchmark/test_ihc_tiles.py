"""Figures of tiles that were read: a reading where there is no tumour counts against it, as does one that is lost."""

from pathlib import Path

import numpy as np
import pytest

from histoserve.benchmark.ihc_tiles.bench import groups, passes, run
from histoserve.benchmark.ihc_tiles.tiles import MPP, PX, Tile, tiles
from histoserve.client.tile_reading import Reading

BARE = np.zeros((1, 1, 3), np.uint8)


def tile(positive: int, negative: int) -> Tile:
    return Tile(BARE, "ki67", positive, negative)


def test_figures_by_hand() -> None:
    drawn = [tile(0, 0)] * 4 + [tile(2, 2), tile(10, 30), tile(30, 10)]
    readings = [Reading(0, 0, 0)] * 3 + [Reading(1, 1, 1), Reading(1, 3, 1), Reading(15, 25, 1), Reading(35, 5, 1)]

    found = groups(drawn, readings)

    assert found["none"][:2] == (4, 0.25)
    assert np.isnan(found["none"].error)
    assert found["1 to 29"][:4] == (1, 1.0, 0.25, 0.25)
    assert found["more"] == pytest.approx((2, 1.0, 0.125, 0.125, 1.0))


@pytest.mark.parametrize(("false", "lost", "wanted"), [(1, 0, True), (2, 0, False), (0, 1, False)])
def test_it_fails_for_readings_without_tumour_and_for_readings_that_are_lost(
    false: int, lost: int, wanted: bool
) -> None:
    drawn = [tile(0, 0)] * 20 + [tile(20, 20)] * 40
    none, some = Reading(0, 0, 0), Reading(20, 20, 1)
    readings = [some] * false + [none] * (20 - false) + [none] * lost + [some] * (40 - lost)

    assert passes(groups(drawn, readings)) == wanted


@pytest.mark.slow
def test_tiles_with_and_without_tumour_are_drawn_at_the_size_of_labels() -> None:
    found = list(tiles(2))

    assert {each.picture.shape for each in found} == {(PX, PX, 3)}
    assert [each.positive + each.negative > 0 for each in found] == [True, False] * 2
    assert round(MPP * PX) == 307


def test_an_image_is_refused() -> None:
    with pytest.raises(ValueError, match="draws its own tiles"):
        run(Path("tile.png"))
