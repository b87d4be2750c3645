"""Two sections on two slides: what is moved stays the same tissue, and the truth tells where it lies."""

import json
from pathlib import Path

import numpy as np
import pytest

from histoserve.phantom import pair_truth, write_pair
from histoserve.phantom.biomarker.pair import BEND, DAMAGES, SCALES, STRETCH, biomarker_pair, placed
from histoserve.phantom.biomarker.placement import Placement
from histoserve.phantom.biomarker.tissue import BiomarkerTissue
from histoserve.phantom.ihc.slide import IhcSlide

SIZE, MPP = (400, 360), 0.5


def test_a_place_goes_to_the_slide_and_back() -> None:
    placement = Placement(3, np.array([[0.7, 0.8, 300.0], [0.9, -0.6, 900.0]]), 40.0, 1400.0)
    x, y = np.random.default_rng(0).uniform(0, 6000, (2, 500))

    back = placement.to_tissue(*placement.to_slide(x, y))

    assert np.abs(np.stack(back) - (x, y)).max() < 1e-6
    bent = np.stack(placement.to_slide(x, y)) - placement.matrix[:, :2] @ (x, y) - placement.matrix[:, 2:]
    assert 5 < np.linalg.norm(bent, axis=0).max() < 1.25 * 40


@pytest.mark.parametrize("damage", ["none", "torn", "folded"])
def test_a_part_of_the_moved_slide_has_the_pixels_of_the_whole(damage: str) -> None:
    def second() -> IhcSlide:
        return biomarker_pair(SIZE, MPP, 6, False, marker="er", damage=damage).second  # type: ignore[return-value]

    whole = second().draw((60, 60, 300, 260))

    for x, y, width, height in [(130, 120, 101, 97), (201, 60, 1, 200), (61, 65, 90, 80)]:
        part = second().draw((x, y, width, height))
        assert np.array_equal(part, whole[y - 60 : y - 60 + height, x - 60 : x - 60 + width])


def test_the_outlines_of_the_moved_slide_lie_where_its_nuclei_are_drawn() -> None:
    slide = biomarker_pair(SIZE, MPP, 6, False, marker="null", share="0.6").second
    assert isinstance(slide, IhcSlide)
    frame = (0, 0, *slide.section.size)
    cells = slide.section.near(frame)

    light = slide.draw(frame).astype(float)[..., 0]
    labels = slide.labels(frame, cells)

    assert slide.section.placement.bend > 0
    assert light[labels > 0].mean() < light[(labels == 0) & (light < 225)].mean() - 20


def test_landmarks_are_the_same_place_of_the_tissue() -> None:
    pair = biomarker_pair((500, 400), 4.0, 9, False)
    here, there = (np.array(pair.relation[name]) for name in ("landmarks", "pair_landmarks"))
    slide = pair.second
    assert isinstance(slide, IhcSlide)

    back = np.stack(slide.section.placement.to_tissue(*(there * 4.0).T), axis=1) / 4.0

    assert len(here) == len(there) == 80
    assert np.abs(back - here).max() < 0.05
    assert np.all((there > 0) & (there < pair.second_size))
    linear = np.array(pair.relation["matrix"])
    straight = here @ linear[:, :2].T + linear[:, 2]
    assert np.linalg.norm(straight - there, axis=1).max() * 4 <= 1.25 * BEND[1] + 1


def test_matrices_keep_to_what_is_promised() -> None:
    tissue = BiomarkerTissue(1, (900.0, 800.0))
    placements = [placed(tissue, 1.0, np.random.default_rng(seed), cut=False)[0] for seed in range(30)]
    matrices = np.array([one.matrix for one in placements])

    values = np.linalg.svd(matrices[:, :, :2], compute_uv=False)

    scale, stretch = np.sqrt(values.prod(axis=1)), values[:, 0] / values[:, 1]
    assert (scale >= SCALES[0] - 1e-4).all()
    assert (scale <= SCALES[1] + 1e-4).all()
    assert (stretch <= STRETCH + 1e-4).all()
    assert 5 < (np.linalg.det(matrices[:, :, :2]) < 0).sum() < 25


def test_neighbouring_sections_share_some_nuclei_and_the_same_section_all() -> None:
    def shared(same: bool) -> float:
        pair = biomarker_pair((240, 240), 0.5, 4, same, damage="none")
        first, second = (
            np.concatenate([cells.key for cells in slide.cells()])  # type: ignore[attr-defined]
            for slide in (pair.first, pair.second)
        )
        return float(np.isin(second, first).mean())

    assert 0.3 < shared(False) < 0.8
    assert shared(True) == 1.0


def test_both_truths_tell_how_the_slides_lie(tmp_path: Path) -> None:
    truth = tmp_path / "t.geojson"
    arguments = {"size": (150, 130), "mpp": 4.0, "seed": 1, "truth": truth}

    write_pair(tmp_path / "he.tiff", tmp_path / "ihc.tiff", kind="biomarker:marker=pr", **arguments)  # type: ignore[arg-type]

    first, second = (json.loads(path.read_text())["phantom"] for path in (truth, pair_truth(truth)))
    assert first["pair"] == second["pair"]
    assert second["marker"] == "pr"
    assert len(first["pair"]["landmarks"]) == len(first["pair"]["pair_landmarks"]) > 40
    assert sorted(path.name for path in tmp_path.iterdir()) == ["he.tiff", "ihc.tiff", "t.geojson", "t.pair.geojson"]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("he", "slides of kind 'he' come alone: leave out the pair, or choose one of biomarker"),
        ("biomarker:damage=burnt", f"'burnt': choose one of {', '.join(DAMAGES)}"),
        ("biomarker:marker=p53", "'p53': choose one of ki67"),
        ("biomarker:pair_mpp=0", "pair_mpp is '0'"),
        ("biomarker:angle=3", "no choice of 'angle': there are marker"),
    ],
)
def test_a_pair_that_cannot_be_drawn_is_refused_and_leaves_no_file(tmp_path: Path, kind: str, message: str) -> None:
    arguments = {"kind": kind, "size": (90, 80), "mpp": 20.0, "seed": 1, "truth": None}

    with pytest.raises(ValueError, match=message):
        write_pair(tmp_path / "a.tiff", tmp_path / "b.tiff", **arguments)  # type: ignore[arg-type]

    assert list(tmp_path.iterdir()) == []
