"""The H&E side of kind "biomarker": parts equal the whole, and the truth tells each cell's markers."""

import numpy as np
import pytest

from histoserve.phantom.biomarker.markers import MARKERS, Expression
from histoserve.phantom.biomarker.plan import biomarker_slide

SIZE, MPP = (400, 360), 0.5


@pytest.mark.parametrize("mpp", [0.5, 4.0])
def test_a_tile_drawn_alone_has_the_pixels_of_the_whole(mpp: float) -> None:
    whole = biomarker_slide(SIZE, mpp, 3, share="0.6").draw((-20, 60, 300, 200))

    for x, y, width, height in [(133, 121, 101, 97), (117, 71, 1, 180), (-15, 65, 90, 80)]:
        part = biomarker_slide(SIZE, mpp, 3, share="0.6").draw((x, y, width, height))
        assert np.array_equal(part, whole[y - 60 : y - 60 + height, x + 20 : x + 20 + width])


def test_the_facts_are_what_the_objects_tell() -> None:
    slide = biomarker_slide((240, 240), 0.5, 4, share="0.7")

    told = [one.properties["positive"] for one in slide.objects() if slide.types[one.type - 1] == "tumour"]

    assert slide.facts["tumour"] == len(told) > 20
    for name, ratio in slide.facts["ratios"].items():  # type: ignore[attr-defined]
        assert ratio == pytest.approx(np.mean([name in one for one in told]), abs=1e-4)  # type: ignore[operator]


def test_pr_follows_er_and_the_others_follow_none() -> None:
    levels = np.array([list(Expression(seed).levels.values()) for seed in range(600)])

    er, pr = levels[:, MARKERS.index("er")], levels[:, MARKERS.index("pr")]
    assert np.all((pr >= 0.54 * er) & (pr <= 0.66 * er))
    others = np.delete(levels, MARKERS.index("pr"), axis=1)
    assert abs(np.corrcoef(others.T) - np.eye(len(MARKERS) - 1)).max() < 0.15
    assert (levels == 0).any(axis=0).all()
    assert (others == 1).any(axis=0).all()
