"""Arrows, cards, and what was not looked at."""

from typing import Any

import numpy as np
import pytest
from made_up_layers import CLASSES, coloured, decoded
from numpy.typing import NDArray

from histoserve.client.results.layers import Arrows, Card, Cards
from histoserve.client.results.layers_json import Background
from histoserve.client.view.layers.arrows import DrawnArrows
from histoserve.client.view.layers.frames import DrawnCards
from histoserve.client.view.layers.not_seen import BETWEEN, STRONG, DrawnNotSeen
from histoserve.client.view.layers.tile import deepest

SIZE = 8000, 8000
Region = tuple[int, int, int, int]


def arrows(*ends: tuple[float, float, float, float], heavy: bool = False) -> DrawnArrows:
    both = np.array(ends, np.float32).reshape(-1, 4)
    return DrawnArrows(Arrows("ways", both[:, :2], both[:, 2:], (0, 110, 255), heavy), SIZE)


def cards(*regions: Region) -> DrawnCards:
    each = [
        Card(np.array(region, np.float32), i + 1, i % 2, f"card {i + 1}", {"Score": 0.5})
        for i, region in enumerate(regions)
    ]
    return DrawnCards(Cards("cards", "said", CLASSES, each), SIZE)


def not_seen(seen: list[Region], failed: list[Region], z: int = 0, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    return decoded(DrawnNotSeen(Background((0, 0, 1, 1), seen, failed), size).tile(z, 0, 0, None, None))


@pytest.mark.parametrize("heavy", [False, True])
@pytest.mark.parametrize("z", [0, 2, 4])
def test_an_arrow_is_as_thick_on_the_screen_at_every_zoom(z: int, heavy: bool) -> None:
    scale = 2**z
    tile = decoded(arrows((20 * scale, 200 * scale, 420 * scale, 200 * scale), heavy=heavy).tile(z, 0, 0, None, None))
    column = tile[:, 150, 3]
    assert np.count_nonzero(column > 128) in ((7, 8) if heavy else (3, 4))
    assert np.flatnonzero(column > 128).mean() + 0.5 == pytest.approx(200, abs=1)
    assert np.flatnonzero(tile[..., 3].any(axis=0)).max() == pytest.approx(420, abs=4)


def test_an_arrow_points_at_its_head() -> None:
    tile = decoded(arrows((100, 100, 300, 100)).tile(0, 0, 0, None, None))[..., 3]
    heights = (tile > 128).sum(axis=0)
    assert heights[290:300].max() > heights[100:110].max() + 4


@pytest.mark.parametrize("ends", [(9, 9, 9, 9), (np.nan, 9, 50, 50), (9, 9, 50, np.inf)])
def test_an_arrow_without_a_direction_is_nowhere(ends: tuple[float, float, float, float]) -> None:
    assert not decoded(arrows(ends).tile(0, 0, 0, None, None)).any()
    assert decoded(arrows(ends, (100, 100, 200, 200)).tile(0, 0, 0, None, None)).any()


def test_no_arrows_are_nothing_and_short_ones_are_seen_at_the_coarsest_zoom() -> None:
    assert not decoded(arrows().tile(0, 0, 0, None, None)).any()
    assert decoded(arrows((4000, 4000, 4001, 4000)).tile(4, 0, 0, None, None))[235:265, 235:265, 3].any()


@pytest.mark.parametrize("z", range(deepest(SIZE) + 1))
def test_a_card_has_a_frame_around_its_region_and_is_seen_at_every_zoom(z: int) -> None:
    region = 1600, 2048, 300, 256
    tile = decoded(cards(region).tile(z, 1750 // 512 >> z, 2176 // 512 >> z, None, None))
    framed = coloured(tile, CLASSES[0].colour)
    middle, half = (np.array((1750, 2176)) / 2**z % 512, np.maximum(np.array((300, 256)) / 2**z, 18) / 2)
    rows = np.flatnonzero(framed[:, int(middle[0])])
    below = rows[rows > middle[1]]
    assert below.min() == pytest.approx(middle[1] + half[1], abs=2)
    assert below.max() <= middle[1] + half[1] + 6


def test_two_cards_of_a_region_have_a_frame_each_and_hidden_classes_none() -> None:
    layer = cards((100, 100, 200, 200), (100, 100, 200, 200))
    both = decoded(layer.tile(0, 0, 0, None, None))
    for number, of in enumerate((frozenset([0]), frozenset([1]))):
        assert coloured(both, CLASSES[number].colour)[200, 60:100].any()
        alone = decoded(layer.tile(0, 0, 0, of, None))
        assert coloured(alone, CLASSES[number].colour)[200, 60:100].any()
        assert not coloured(alone, CLASSES[1 - number].colour).any()


def test_a_click_finds_cards_and_their_numbers() -> None:
    layer = cards((100, 100, 200, 200), (250, 250, 100, 100))
    assert [each.numbers for each in layer.at(260, 260)] == [{"Number": 1, "Score": 0.5}, {"Number": 2, "Score": 0.5}]
    assert layer.at(99, 150) == layer.at(300, 150) == layer.at(float("nan"), 150) == []


def test_a_number_at_the_slides_border_is_whole() -> None:
    layer = DrawnCards(
        Cards("cards", "", CLASSES, [Card(np.array((7990, 0, 10, 10), np.float32), 1234, 0, "", {})]), SIZE
    )
    tile = decoded(layer.tile(0, 15, 0, None, None))
    plate = coloured(tile, CLASSES[0].colour)[:15]
    assert plate[:, :-1].any(axis=0).sum() > 40
    assert tile.shape[1] == 8000 - 15 * 512


@pytest.mark.parametrize("z", range(deepest(SIZE) + 1))
def test_what_was_looked_at_is_clear_and_all_else_is_hatched(z: int) -> None:
    cores = [(x, y, 223, 223) for x in range(0, 4000, 223) for y in range(0, 4000, 223)]
    tile = not_seen(cores, [], z)
    end = min(512, int(18 * 223 / 2**z))
    assert not tile[:end, :end].any()
    if end < 500:
        assert (tile[..., 3] > 0)[end + 1 :].mean() == pytest.approx(2 / 16, abs=0.02)


@pytest.mark.parametrize("z", range(deepest(SIZE) + 1))
def test_what_failed_is_hatched_strongly_at_every_zoom(z: int) -> None:
    tile = not_seen([(0, 0, *SIZE)], [(64, 64, 8, 8)], z)
    inks = {tuple(pixel) for pixel in tile.reshape(-1, 4).tolist()}
    assert inks == {(0, 0, 0, 0), STRONG, BETWEEN}
    rows, columns = np.nonzero(tile[..., 3])
    assert max(abs(rows * 2**z - 68).max(), abs(columns * 2**z - 68).max()) <= max(5, 4 * 2**z)


@pytest.mark.parametrize("size", [(999, 1001), (4097, 513), (1, 1)])
def test_a_slide_that_was_looked_at_is_clear_to_its_last_px(size: tuple[int, int]) -> None:
    for z in range(deepest(size) + 1):
        assert not not_seen([(0, 0, *size)], [], z, size).any()


def test_nothing_seen_is_all_hatched_and_clicks_say_so() -> None:
    layer = DrawnNotSeen(Background((0, 0, 1, 1), [(0, 0, 100, 100)], [(50, 50, 100, 100)]), SIZE)
    assert layer.at(10, 10) == []
    assert [each.name for each in layer.at(60, 60)] == ["failed"]
    assert [each.name for each in layer.at(4000, 10)] == ["not-planned"]
    assert not_seen([], [])[..., 3].any(axis=0).all()


@pytest.mark.parametrize("regions", [[[1, 2, 3]], [[1, 2, 3, "x"]], "no", [[1, 2, 3, None]], [[0, 0, 10**30, 1]], 5])
def test_regions_that_are_none_are_refused(regions: Any) -> None:
    with pytest.raises(ValueError, match="no list of regions"):
        DrawnNotSeen(Background((0, 0, 1, 1), regions, []), SIZE)


@pytest.mark.parametrize(
    ("region", "of"), [((0, 0, np.nan, 9), 0), ((0, 0, 9), 0), ((0, 0, 9, 9), 2), ((0, 0, 9, 9), -1)]
)
def test_a_card_without_a_place_or_of_no_class_is_refused(region: tuple[float, ...], of: int) -> None:
    with pytest.raises(ValueError, match="card 7 has no place or is of no class"):
        DrawnCards(Cards("cards", "", CLASSES, [Card(np.array(region, np.float32), 7, of, "", {})]), SIZE)
