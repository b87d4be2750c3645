"""The picture of a slide: each kind of layer in its place, to be seen on any slide, and with what it means."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from histoserve.client.results.layers import Arrows, Card, Cards, Class, Grid, Layer, Shape, Shapes, outline_of
from histoserve.client.results.palette import colours_of
from histoserve.client.results.pictures.arrows import draw_arrows
from histoserve.client.results.pictures.canvas import LARGEST_ENLARGEMENT, Canvas, canvas_of
from histoserve.client.results.pictures.grid import OPACITY, draw_grid
from histoserve.client.results.pictures.legend import NARROWEST_PX, Titles, entries_of, foot
from histoserve.client.results.pictures.marks import draw_cards
from histoserve.client.results.pictures.overview import Seen, write_overview
from histoserve.client.results.pictures.shapes import draw_shapes

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)
CLASSES = (Class("red", RED, 3), Class("blue", BLUE, 1))
OUTER, FURTHER = (200, 150, 600, 600), (1400, 600, 200, 250)
"""Regions in level-0 px."""
TITLES = Titles("slide.svs", "nuclei", "4 nuclei")


def canvas(width: int, height: int, l0_width: int) -> Canvas:
    return canvas_of(np.full((height, width, 3), 255, np.uint8), l0_width, max(width, height))


def places(image: NDArray[np.uint8], colour: tuple[int, int, int]) -> list[int]:
    """First row and column, last row and column of this colour."""
    found = np.argwhere((image == colour).all(axis=2))
    return [*found.min(axis=0), *found.max(axis=0)]


def boxes(*regions: tuple[float, float, float, float], of: int = 0) -> Shapes:
    each = [Shape(outline_of(np.array(region, np.float32)), of, {}) for region in regions]
    return Shapes(CLASSES, lambda: iter(each))


def cards(*each: tuple[tuple[float, float, float, float], int]) -> Cards:
    listed = [Card(np.array(region, np.float32), i + 1, of, "card", {}) for i, (region, of) in enumerate(each)]
    return Cards("cards", "places to look at", CLASSES, listed)


def written(path: Path, width: int, height: int, layers: list[Layer], **other: Any) -> NDArray[np.uint8]:
    """The overview of white tissue of this many px, at a tenth of the slide's."""
    tissue = np.ones((max(1, height // 8), max(1, width // 8)), np.bool_)
    seen = {"mpp": 0.5, "tissue": tissue, "l0_square": 80, "seen": [], "not_seen": [], **other}
    write_overview(path, Seen(np.full((height, width, 3), 255, np.uint8), width * 10, **seen), TITLES, layers)
    return cv2.imread(str(path))[..., ::-1].astype(np.uint8)


def test_holes_and_further_parts_are_outlined_too() -> None:
    drawn = canvas(200, 100, 2000)
    outline, hole, other = (outline_of(np.array(each, np.float32)) for each in (OUTER, (300, 300, 200, 200), FURTHER))
    draw_shapes(drawn, Shapes(CLASSES, lambda: iter([Shape(outline, 0, {}, None, [hole], [[other]])])))

    red = (drawn.image == RED).all(axis=2)
    for x, y in ((50, 15), (40, 30), (50, 40), (150, 85)):
        assert red[y - 1 : y + 2, x - 1 : x + 2].any(), (x, y)
    assert not red[35, 40]


@pytest.mark.parametrize("longest", [50, 200, 800])
def test_outlines_lie_where_the_slide_shows_them(longest: int) -> None:
    drawn = canvas_of(np.full((100, 200, 3), 255, np.uint8), 2000, longest)
    draw_shapes(drawn, boxes((500, 200, 1000, 600)))

    expected = np.array([200, 500, 800, 1500]) * longest / 2000
    np.testing.assert_allclose(places(drawn.image, RED), expected - [0, 0, 1, 1], atol=2)


def test_a_thin_line_leaves_the_nucleus_to_be_seen() -> None:
    drawn = canvas(1000, 1000, 1000)
    draw_shapes(drawn, boxes((500, 500, 12, 12)))

    assert (drawn.image[500:512, 500:512] == 255).all(axis=2).sum() >= 100
    assert (drawn.image[498:514, 498:514] == RED).all(axis=2).sum() <= 52


def test_shapes_too_small_for_lines_show_how_much_of_a_pixel_they_fill() -> None:
    drawn = canvas(1000, 1000, 100_000)
    lone, crowd = (50_020, 20_020, 10, 10), [(70_000 + 10 * i, 30_020, 10, 50) for i in range(10)]
    draw_shapes(drawn, boxes(lone, *crowd))

    half, faint = drawn.image[300 + 0, 700], drawn.image[200, 500]
    np.testing.assert_allclose(half, (255, 127, 127), atol=2)
    assert faint[0] == 255
    assert 150 < faint[1] < 200, "one alone is seen"
    assert (drawn.image != 255).any(axis=2).sum() == 2


def test_a_mark_of_a_tiny_region_can_be_seen_and_stays_in_the_picture() -> None:
    drawn = canvas(1000, 500, 100_000)
    draw_cards(
        drawn, cards(((50_000, 25_000, 64, 64), 0), ((99_900, 49_900, 64, 64), 0), ((99_900, 49_900, 64, 64), 1))
    )

    frame = places(drawn.image[:, :600], RED)
    assert frame[3] - frame[1] >= 18
    np.testing.assert_allclose([frame[1] + frame[3], frame[2]], [1000, 260], atol=3)
    for colour in (RED, BLUE):
        assert (drawn.image[450:, 950:] == colour).all(axis=2).sum() > 30


def test_what_is_in_a_frame_is_not_covered() -> None:
    drawn = canvas(1000, 1000, 1000)
    draw_cards(drawn, cards(((100, 100, 100, 100), 0), ((300, 300, 100, 100), 1), ((0, 900, 100, 100), 1)))

    for left, top in ((100, 100), (300, 300), (0, 900)):
        assert (drawn.image[top + 3 : top + 97, left + 3 : left + 97] == 255).all()


def test_a_grid_tints_its_regions_and_nothing_else() -> None:
    values = np.array([[0, np.nan, 1], [0.5, 2, np.nan]], np.float32)
    drawn = canvas(1000, 1000, 10_000)
    draw_grid(drawn, Grid("value", values, (1000, 2000, 200, 100), (0, 1)))

    tinted = (drawn.image != 255).any(axis=2)
    np.testing.assert_array_equal(tinted[200:220, 100:160], np.isfinite(values).repeat(10, 0).repeat(20, 1))
    assert tinted.sum() == 4 * 200
    expected = 255 * (1 - OPACITY) + OPACITY * colours_of(np.array([0.5]), (0, 1))[0]
    np.testing.assert_allclose(drawn.image[215, 110], expected, atol=1)
    assert (drawn.image[215, 130] == drawn.image[205, 150]).all(), "beyond the scale's end it is the end"


def test_a_value_is_written_where_there_is_room() -> None:
    drawn = canvas(1000, 1000, 1000)
    for column, side in enumerate((20, 100)):
        draw_grid(drawn, Grid("value", np.array([[0.5]], np.float32), (column * 500, 0, side, side), (0, 1), "%"))

    assert len(np.unique(drawn.image[:20, :20].reshape(-1, 3), axis=0)) == 1
    assert len(np.unique(drawn.image[:100, 500:600].reshape(-1, 3), axis=0)) > 5


def test_an_arrow_points_from_tail_to_head() -> None:
    drawn = canvas(1000, 1000, 1000)
    tails = np.array([[100, 100], [500, 500], [0, 0]], np.float32)
    draw_arrows(drawn, Arrows("spread", tails, np.add(tails, [(60, 0), (np.nan, 1), (0, 0)]), BLUE))

    inked = (drawn.image != 255).any(axis=2)
    assert inked[90:110, 95:165].sum() == inked.sum() > 60, "those without a direction are left out"
    assert inked[95:106, 145:160].sum() > inked[95:106, 100:115].sum()


def test_many_short_arrows_become_few_that_can_be_read() -> None:
    drawn = canvas(1000, 1000, 100_000)
    tails = np.stack(np.meshgrid(np.arange(0, 20_000, 100), np.arange(0, 20_000, 100)), -1).reshape(-1, 2)
    draw_arrows(drawn, Arrows("spread", tails, np.add(tails, (100, 0)), BLUE))

    assert 0.05 < (drawn.image[:200, :200] != 255).any(axis=2).mean() < 0.6


@pytest.mark.parametrize("size", [(1, 1), (80, 100), (2048, 41), (41, 2048)])
def test_a_slide_of_any_shape_has_its_words(tmp_path: Path, size: tuple[int, int]) -> None:
    layers = [boxes((0, 0, 9, 9)), cards(((0, 0, 9, 9), 1))]
    image = written(tmp_path / "o.png", *size, layers)

    assert image.shape[1] >= NARROWEST_PX
    assert image.shape[0] > 100 + size[1]
    assert (image[:60, :400] == WHITE).all(axis=2).any(), "the result"
    assert (image[-60:] == RED).all(axis=2).any(), "the legend"


def test_what_was_not_analysed_is_hatched_and_said(tmp_path: Path) -> None:
    plain = written(tmp_path / "o.png", 1000, 600, [])
    hatched = written(tmp_path / "o.png", 1000, 600, [], not_seen=[(5000, 1000, 640, 640)])

    rows, columns = np.nonzero((plain != hatched).any(axis=2))
    top = plain.shape[0] - hatched.shape[0]
    assert top == 0
    inside = (columns >= 1000) & (columns < 1128) & (rows < 600)
    assert inside.sum() > 2000
    assert set(rows[~inside] // 60) == {plain.shape[0] // 60 - 1, plain.shape[0] // 60} & set(rows[~inside] // 60)


def test_a_grid_without_any_region_leaves_the_slide_as_it_is() -> None:
    drawn = canvas(1000, 1000, 1000)

    draw_grid(drawn, Grid("none", np.empty((0, 0), np.float32), (0, 0, 100, 100), (0, 1)))

    assert (drawn.image == 255).all()


def test_several_grids_stand_side_by_side_on_one_scale(tmp_path: Path) -> None:
    grids: list[Layer] = [
        Grid(name, np.full((3, 5), i / 4, np.float32), (0, 0, 2000, 2000), (0, 1), "%") for i, name in enumerate("abcd")
    ]
    one = written(tmp_path / "o.png", 1000, 600, grids[:1])
    four = written(tmp_path / "o.png", 1000, 600, grids)

    assert four.shape[1] == 2 * 1000 + 16
    assert four.shape[0] > 2 * 600 > one.shape[0] - 600
    assert [entry.text for entry in entries_of(grids)] == ["a, b, c, d: 0 % to 100 %"]


def test_of_several_grids_each_shows_what_belongs_to_it_alone(tmp_path: Path) -> None:
    grids = [Grid("ab"[of], np.zeros((1, 1), np.float32), (0, 0, 50, 50), (0, 1), of=of, said="7") for of in (0, 1)]
    both = [Shape(outline_of(np.array(OUTER, np.float32)), of, {}) for of in (0, 1)]
    layers = [*grids, Shapes(CLASSES, lambda: iter(both)), cards((FURTHER, 0), (FURTHER, 1))]

    # Above the legend; two panels, each twice the thumbnail's 400 px.
    picture = written(tmp_path / "overview.png", 400, 300, layers)[:-80]

    (_, _, _, last_red), (_, first_blue, _, _) = places(picture, RED), places(picture, BLUE)
    assert last_red < 800 < first_blue


def test_values_beyond_the_scale_are_said() -> None:
    grid = Grid("area", np.array([[-1, 7, np.nan]], np.float32), (0, 0, 1, 1), (0, 5), "mm²")

    assert [entry.text for entry in entries_of([grid])] == ["area: ≤ 0 to ≥ 5 mm²"]


@pytest.mark.parametrize("first", [(0, 0, 9, 0), (0, 0, -9, 9)])
def test_a_grid_without_extent_is_none(first: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="darkness"):
        Grid("darkness", np.zeros((1, 1), np.float32), first, (0, 1))
    with pytest.raises(ValueError, match=r"\(1, 1\)"):
        Grid("darkness", np.zeros((1, 1), np.float32), (0, 0, 9, 9), (1, 1))


def test_layers_beyond_the_slide_do_no_harm(tmp_path: Path) -> None:
    far = (-1e9, 1e9, 2e9, 1e6)
    points = np.array([[-1e9, 0], [1e9, 1e12]])
    grid = Grid("value", np.full((2, 2), np.nan, np.float32), (-5e6, -5e6, 100, 100), (0, 1))
    layers = [boxes(far), cards((far, 0), ((10, 10, 0, 0), 1)), Arrows("spread", points, points[::-1], RED), grid]

    assert written(tmp_path / "o.png", 200, 100, [*layers, boxes()]).shape[0] > 200


def test_a_legend_too_wide_for_the_slide_is_wrapped() -> None:
    entries = entries_of([Shapes([Class(f"type {i}", RED, i) for i in range(12)], lambda: iter(()))])

    assert foot(entries, 1, 700, 700).shape[0] > foot(entries, 1, 2048, 2048).shape[0]


@pytest.mark.parametrize("side", [50, 400])
def test_the_border_of_the_tissue_is_faint_and_in_place(tmp_path: Path, side: int) -> None:
    mask = np.zeros((20, 30), np.bool_)
    mask[5:15, 10:20] = True
    image = written(tmp_path / "o.png", side * 3, side * 2, [], tissue=mask, l0_square=side)
    px = min(LARGEST_ENLARGEMENT, 2048 // (side * 3)) * side / 10

    faint = np.argwhere((image.max(axis=2) > 150) & (image.max(axis=2) < 200))
    inside = faint[(faint[:, 0] > 85) & (faint[:, 0] < 85 + 20 * px)]
    rows, columns = inside.T
    assert columns.min() == pytest.approx(10 * px, abs=1)
    assert columns.max() == pytest.approx(20 * px - 1, abs=1)
    assert np.ptp(rows) == pytest.approx(10 * px - 1, abs=1)


@pytest.mark.parametrize(("side", "is_written"), [(400, True), (300, True), (200, False)])
def test_values_are_written_in_letters_that_fit_or_not_at_all(side: int, is_written: bool) -> None:
    drawn = canvas(100, 100, 1000)
    drawn.image[:] = 0
    draw_grid(drawn, Grid("value", np.array([[0.534]], np.float32), (0, 0, side, side), (0, 1)))

    assert bool((drawn.image == 255).all(axis=2).any()) == is_written


@pytest.mark.parametrize("turned", [0, 90, 30])
def test_a_turned_grid_tints_its_regions_and_nothing_else(turned: float) -> None:
    drawn, grid = canvas(200, 200, 200), Grid("value", np.zeros((1, 2), np.float32), (100, 60, 40, 40), (0, 1))
    grid = replace(grid, turned=turned)
    draw_grid(drawn, grid)

    tinted = (drawn.image != 255).any(axis=2)
    for column in range(2):
        x, y = grid.l0_outline(0, column).mean(axis=0) * drawn.scale
        assert tinted[int(y) + 12, int(x) + 12]
    assert tinted.sum() == pytest.approx(2 * 40 * 40 * drawn.scale**2, rel=0.05)


def test_without_a_scale_there_is_no_bar_and_without_a_search_no_border_of_tissue(tmp_path: Path) -> None:
    known = written(tmp_path / "a.png", 300, 200, [])
    unknown = written(tmp_path / "b.png", 300, 200, [], mpp=float("nan"), tissue=None)

    assert known.shape == unknown.shape
    bottom = unknown[-20:]
    assert (bottom == bottom[0, 0]).all()
    assert not (known[-20:] == known[-1, 0]).all()
