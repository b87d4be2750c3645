"""Tiles of phantoms on a real Triton with the shipped network: without tumour there is no reading, in either scan."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from histoserve.benchmark.ihc_tiles.bench import groups
from histoserve.benchmark.ihc_tiles.tiles import MPP, tiles
from histoserve.client.tile_reading import ReadTile, tile_reader
from histoserve.deploy.local.triton import LocalTriton

pytestmark = pytest.mark.slow
REPOSITORY = Path(__file__).parent.parent / "model_repository"


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReadTile]:
    state = tmp_path_factory.mktemp("state")
    with (
        LocalTriton(REPOSITORY, state=state, models=["ihc_tiles", "ihc_slide"]) as triton,
        tile_reader([triton.grpc]) as read,
    ):
        yield read


def test_without_tumour_there_is_no_reading_and_with_it_the_right_one(read: ReadTile) -> None:
    drawn = list(tiles(2))
    assert sorted(tile.positive + tile.negative > 30 for tile in drawn) == [False, False, True, True]

    found = groups(drawn, [read(tile.picture, MPP) for tile in drawn])

    assert found["none"][:2] == (2, 0)
    assert found["more"][:2] == (2, 1)
    assert found["more"].worst < 0.1


def test_glass_and_a_tile_of_one_colour_have_no_reading(read: ReadTile) -> None:
    assert np.isnan(read(np.full((1024, 1024, 3), 240, np.uint8), MPP).ratio)
    assert np.isnan(read(np.full((1024, 1024, 3), (190, 205, 225), np.uint8), MPP).ratio)
