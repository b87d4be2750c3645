"""Tiles that somebody planned otherwise than in a grid are pushed as those of a grid are."""

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from histoserve.client.errors import Refused
from histoserve.client.grid import GridTiles, PlannedTile, TileSize, grid
from histoserve.client.listed import by_index
from histoserve.client.session import Session
from histoserve.client.stream import FailedTile
from histoserve.client.travel.block import Picture
from histoserve.client.work import Work, work_for

PINK = cv2.imencode(".png", np.full((64, 64, 3), (220, 200, 235), np.uint8))[1].tobytes()


@pytest.fixture
def work(contract: Any) -> Work:
    """Twelve tiles."""
    return work_for(contract(), 0.25, (4 * 32 + 32, 3 * 32 + 32))


def session_of(wire: Any, work: Work, tiles: list[PlannedTile]) -> Session:
    return Session(wire, replace(work, tiles=tiles))


def test_tiles_are_found_by_index_in_whatever_order_they_are_listed() -> None:
    tiles = list(grid(9, 9, TileSize(3, 0)))
    listed = by_index([tiles[7], tiles[2], tiles[5]])

    assert [listed.position(index) for index in (2, 5, 7, 0, 99)] == [0, 1, 2, None, None]
    assert listed.at(np.array([0, 2])) == [tiles[2], tiles[7]]
    assert isinstance(by_index(grid(9, 9, TileSize(3, 0))), GridTiles)


@pytest.mark.parametrize("listed", [True, False])
def test_what_is_answered_missing_and_failed_adds_up(work: Work, disc_wire: Any, listed: bool) -> None:
    tiles = list(work.tiles)
    with session_of(disc_wire(), work, tiles[::-1]) if listed else Session(disc_wire(), work) as session:
        for tile in (tiles[3], tiles[9], tiles[3]):
            session.push(Picture(tile, PINK))
        session.fail(FailedTile(tiles[5], "torn", "reading"))
        session.drain()

        assert session.answered == [tiles[3], tiles[9]]
        assert session.missing() == [tile for tile in tiles if tile.index not in (3, 5, 9)]
        assert [each.tile for each in session.failed] == [tiles[5]]
        assert session.partial()["tissue_mm2"] == pytest.approx(
            sum(tile.core[2] * tile.core[3] for tile in (tiles[3], tiles[9])) * 0.25**2 / 1e6
        )


def test_a_tile_of_another_grid_is_refused(work: Work, disc_wire: Any) -> None:
    inside = work.tiles[4]
    with session_of(disc_wire(), work, [inside]) as session:
        for other in (work.tiles[5], replace(inside, core=(0, 0, 1, 1)), replace(inside, index=-1)):
            with pytest.raises(ValueError, match="is no tile of this session"):
                session.push(Picture(other, PINK))

        assert session.missing() == [inside]


def test_a_tile_that_failed_at_the_server_may_be_pushed_again(work: Work, disc_wire: Any) -> None:
    bad = [True]

    def before(regions: Any) -> None:
        if bad[0]:
            raise Refused("not now")

    with Session(disc_wire(before=before), work) as session:
        session.push(Picture(work.tiles[0], PINK))
        session.drain()
        assert (len(session.failed), len(session.answered)) == (1, 0)

        bad[0] = False
        session.push(Picture(work.tiles[0], PINK))
        session.drain()
        assert (session.failed, session.answered) == ([], [work.tiles[0]])
