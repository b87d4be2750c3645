"""The drawing of kind "spread": a primary, and cells that thin out where the truth says; and what shares tell of it."""

import numpy as np
import pytest

from histoserve.phantom.lesion.tissue import LesionTissue
from histoserve.phantom.spread.extent import extent
from histoserve.phantom.spread.plan import choose, spread_slide

SIZE, MPP = (4000, 4000), 1.0


def around(seed: int, pattern: str, way: float) -> list[float]:
    """Shares of lesion cells at a distance from the primary, ahead, to both sides and behind."""
    slide = spread_slide(SIZE, MPP, seed, pattern=pattern)
    growth = slide.tissue.growth
    angle = growth.angle + np.arange(4) * np.pi / 2  # type: ignore[attr-defined]
    return growth.singles(  # type: ignore[no-any-return]
        growth.x + way * np.cos(angle),  # type: ignore[attr-defined]
        growth.y + way * np.sin(angle),  # type: ignore[attr-defined]
    ).tolist()


def test_cells_thin_out_along_the_direction_and_hardly_reach_elsewhere() -> None:
    near, far = around(4, "directed", 800.0), around(4, "directed", 1500.0)

    assert near[0] > far[0] > 0.01
    assert max(near[1:]) < near[0] / 4


def test_an_even_spread_has_no_side_and_none_has_nothing() -> None:
    assert np.ptp(around(4, "even", 800.0)) == pytest.approx(0, abs=1e-9)
    assert min(around(4, "even", 800.0)) > 0.01
    assert around(4, "none", 800.0) == [0, 0, 0, 0]


def test_a_fifth_of_the_slides_has_no_direction() -> None:
    patterns = [choose(seed).pattern for seed in range(1000)]

    assert 0.07 < np.mean([pattern == "even" for pattern in patterns]) < 0.13
    assert 0.07 < np.mean([pattern == "none" for pattern in patterns]) < 0.13


def test_the_direction_follows_neither_place_nor_fibres() -> None:
    slides = [spread_slide((40, 40), 100.0, seed, pattern="directed") for seed in range(30)]
    ways = np.array([slide.facts["direction"] for slide in slides])
    places = np.array([slide.facts["primary"] for slide in slides]) - 20

    fibres = np.array([slide.tissue._along for slide in slides])

    assert np.linalg.norm(ways.mean(axis=0)) < 0.4
    assert abs((ways * places).sum(axis=1).mean()) < 0.4 * np.linalg.norm(places, axis=1).mean()
    assert abs(((ways * fibres).sum(axis=1) ** 2).mean() - 0.5) < 0.25


def test_a_lymphoid_crowd_lies_in_another_direction() -> None:
    for seed in range(10):
        slide = spread_slide((40, 40), 100.0, seed, pattern="directed")
        assert isinstance(slide.tissue, LesionTissue)
        follicle = slide.tissue.follicle
        assert follicle is not None
        x, y = np.array(slide.facts["primary"]) * 100.0

        assert np.dot(slide.facts["direction"], (follicle.x - x, follicle.y - y)) < 10


def test_a_part_looks_the_same_alone() -> None:
    slide = spread_slide((400, 400), 2.0, 2)

    part = spread_slide((400, 400), 2.0, 2).draw((150, 130, 60, 70))

    assert np.array_equal(part, slide.draw((100, 100, 200, 200))[30:100, 50:110])


def test_extent_of_shares_that_a_person_can_check() -> None:
    shares = np.array([[0.0, 0.6, 0.0, 0.0], [0.6, 0.9, 0.3, 0.2], [np.nan, 0.0, 0.0, 0.0]])

    found = extent(shares, 500.0)

    assert (found.dense_mm2, found.sparse_mm2) == (0.75, 1.25)
    assert found.primary == pytest.approx([7 / 6, 7 / 6])
    assert found.farthest_um == pytest.approx(500 * np.hypot(3.5 - 7 / 6, 1.5 - 7 / 6))
    there = np.array([(2.5 * 0.3 + 3.5 * 0.2) / 0.5, 1.5]) - 7 / 6
    assert found.direction == pytest.approx(there / np.linalg.norm(there))


def test_nothing_outside_the_primary_is_no_direction_and_no_primary_is_no_distance() -> None:
    alone = extent(np.array([[0.0, 0.9]]), 500.0)
    none = extent(np.array([[0.1, 0.4]]), 500.0)

    assert np.isnan(alone.direction).all()
    assert alone.farthest_um == 0
    assert np.isnan(none.farthest_um)
    assert none.sparse_mm2 == 0.5


def test_a_slide_without_room_for_a_lesion_cell_has_no_spread() -> None:
    facts = spread_slide((20, 20), 1.0, 3, pattern="directed").facts

    assert (facts["class"], facts["pattern"], facts["direction"]) == ("normal", "none", None)
