"""Readings against what is known: phantoms, and four tiles that people marked."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from histoserve.client.results.source import source_of
from histoserve.export.ihc.by_colour import ratio_by_colour
from histoserve.export.ihc.real import cells_in, marked
from histoserve.export.ihc.score import errors, groups, score, scored
from histoserve.export.ihc.truth import read_truth
from histoserve.export.nuclei.tiles import read_rgb

BROWN, BLUE, GLASS = (120, 70, 40), (120, 150, 205), (240, 240, 240)
TILES = {"22_2": (10, 127), "34_3": (21, 79), "6_2": (22, 24), "799_2": (1, 62)}


def picture(brown: int, blue: int) -> np.ndarray:
    """100 × 40 px, so many columns of each stain, the rest glass."""
    image = np.full((40, 100, 3), GLASS, np.uint8)
    image[:, :brown], image[:, brown : brown + blue] = BROWN, BLUE
    return image


def truth(positive: int, negative: int, kind: str = "ihc", marker: str = "ki67") -> str:
    cells = {"tumour positive": positive, "tumour negative": negative, "other positive": 9, "other negative": 9}
    return json.dumps({"type": "FeatureCollection", "phantom": {"kind": kind, "marker": marker, "cells": cells}})


def written(folder: Path, name: str, ratio: float | None, positive: int, negative: int) -> Path:
    """A slide, a result of it, and where that lies."""
    slide = folder / f"{name}.png"
    cv2.imwrite(str(slide), picture(20, 30)[..., ::-1])
    result = folder / name / "ihc" / "result.json"
    result.parent.mkdir(parents=True)
    described = {"name": slide.name, "width": 100, "height": 40, "level_read": 0, **source_of(slide).described()}
    told = {"ratio": ratio, "positive": positive, "negative": negative}
    result.write_text(json.dumps({"slide": described, "result": told}))
    return result


def test_colour_alone_by_hand() -> None:
    assert ratio_by_colour([picture(20, 30)]) == pytest.approx(0.4)
    assert ratio_by_colour([picture(20, 0), picture(0, 60)]) == pytest.approx(0.25)
    assert ratio_by_colour([picture(0, 30)]) == 0
    assert np.isnan(ratio_by_colour([picture(0, 0)]))


def test_the_score_by_hand(tmp_path: Path) -> None:
    written(tmp_path, "a", 0.5, 5, 5)
    written(tmp_path, "b", None, 0, 0)
    (tmp_path / "a.geojson").write_text(truth(3, 7))
    (tmp_path / "b.geojson").write_text(truth(0, 0))

    figures = score(tmp_path, tmp_path)

    # Of 20 columns brown and 30 blue, the ratio by colour is 0.4.
    assert figures == {"served, ki67": pytest.approx(0.2), "brown area, ki67": pytest.approx(0.1)}


def test_a_slide_without_tumour_has_no_error_but_is_counted(tmp_path: Path) -> None:
    result = written(tmp_path, "b", 0.9, 9, 1)
    (tmp_path / "b.geojson").write_text(truth(0, 0))
    slide = scored("b", result, tmp_path, None)

    assert all(np.isnan(each) for pair in errors([slide]).values() for each in pair)
    [rightly] = [list(column.cells) for column in groups([slide]).columns if column.header == "tumour or none, rightly"]
    assert rightly == ["0"]


@pytest.mark.parametrize("text", ["{", "[]", truth(3, 7, kind="he"), '{"phantom": {"kind": "ihc"}}'])
def test_a_truth_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.geojson").write_text(text)
    with pytest.raises(ValueError, match="is not the truth that was wanted"):
        read_truth(tmp_path / "a.geojson")


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="run `histoserve read-ihc"):
        score(tmp_path, tmp_path)
    result = written(tmp_path, "a", 0.5, 5, 5)
    with pytest.raises(ValueError, match=r"no truth at .*a\.geojson"):
        score(tmp_path, tmp_path)
    (tmp_path / "a.geojson").write_text(truth(3, 7))
    (tmp_path / "a.png").unlink()
    with pytest.raises(ValueError, match=r"a\.png cannot be read"):
        score(tmp_path, tmp_path)
    result.write_text("{}")
    with pytest.raises(ValueError, match="is no result of ihc"):
        score(tmp_path, tmp_path)


def test_cells_are_told_apart_by_a_slanting_border() -> None:
    mask = np.ones((20, 20), bool)
    mask[np.arange(20), np.arange(20)] = False
    assert cells_in(mask) == 2
    assert cells_in(np.zeros((5, 5), bool)) == 0


def test_the_marks_are_counted_and_colour_alone_is_that_far_off(shared: Path) -> None:
    folder, away = shared / "ihc_ki67", []
    for name, counts in TILES.items():
        cells = marked(folder, name)
        assert cells is not None
        assert (cells.positive, cells.negative) == counts
        away.append(abs(ratio_by_colour([read_rgb(folder / f"{name}.png")]) - cells.ratio))
    assert marked(folder, "none") is None
    assert (np.mean(away), max(away)) == (pytest.approx(0.052, abs=1e-3), pytest.approx(0.107, abs=1e-3))
