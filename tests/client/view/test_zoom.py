"""Zoom levels and their tiles."""

from hypothesis import given
from hypothesis import strategies as st

from histoserve.client.view.zoom import TILE_PX, Tile, deepest, tile_at

SIDE = st.integers(1, 200_000)


def test_levels_end_where_one_tile_shows_the_slide() -> None:
    assert [deepest(size) for size in ((1, 1), (512, 3), (513, 3), (3, 1025), (100_000, 9))] == [0, 0, 1, 2, 8]


def test_tiles_are_cut_at_the_border_and_their_last_pixel_counts() -> None:
    assert tile_at((1100, 600), 0, 2, 1) == Tile(1024, 512, 76, 88, 1)
    assert tile_at((1101, 601), 1, 1, 0) == Tile(1024, 0, 39, 301, 2)
    assert [tile_at((1100, 600), *place) for place in ((0, 3, 0), (0, 0, 2), (3, 0, 0), (0, -1, 0), (-1, 0, 0))] == [
        None
    ] * 5


@given(SIDE, SIDE, st.integers(0, 9))
def test_the_tiles_of_a_level_cover_the_slide_once(width: int, height: int, z: int) -> None:
    z = min(z, deepest((width, height)))
    across, x = 0, 0
    while tile := tile_at((width, height), z, x, 0):
        assert (tile.l0_left, tile.width <= TILE_PX) == (across, True)
        across, x = across + tile.width * tile.scale, x + 1
    assert across - (1 << z) < width <= across
