"""Served directions, extents and values against the truth of their slide, on slides of two rows of four regions."""

from pathlib import Path

import numpy as np
import pytest
import torch
from made_up_spread import SIDE, write_result, write_slide, write_truth

from histoserve.export.spread.haematoxylin import as_shares, haematoxylin
from histoserve.export.spread.network import SpreadNetwork
from histoserve.export.spread.score import DYE, LAYER, NETWORK, TRUTH, score

LESION = [[9, 4, 2, 1], [8, 2, 0, 0]]
"""The first column is the primary, its centre between its two regions; 0.1 is reached 3 regions to the right."""
MM2 = (SIDE / 1000) ** 2
FARTHEST = SIDE * (3**2 + 0.5**2) ** 0.5
SHARES = [[each / 10 for each in row] for row in LESION]
EXACT = {"mm2_lesion": 2 * MM2, "mm2_reached": 6 * MM2, "farthest_um": FARTHEST}


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    write_slide(tmp_path / "a.png", LESION)
    write_truth(tmp_path / "a.geojson", LESION)
    return tmp_path / "a.png"


def test_what_is_exact_is_right_in_all(slide: Path) -> None:
    write_result(slide.parent, slide, SHARES, main_direction=[1.0, 0.0], extent=EXACT)

    found = score(slide.parent, slide.parent)

    for way in (NETWORK, TRUTH):
        figures = dict(found[way])
        assert np.isnan(figures.pop("none where there is none"))
        assert list(figures.values()) == pytest.approx([1, 1, 1, 0, 0], abs=1e-3)


def test_each_fault_shows_in_its_own_figure(slide: Path) -> None:
    turned = np.deg2rad(31)
    extent = {"mm2_lesion": 3 * MM2, "mm2_reached": 2 * MM2, "farthest_um": FARTHEST - 1.1 * SIDE}
    values = [[1 - each for each in row] for row in SHARES]
    write_result(slide.parent, slide, values, main_direction=[np.cos(turned), np.sin(turned)], extent=extent)

    figures = list(score(slide.parent, slide.parent)[NETWORK].values())

    assert figures[0] == 0
    assert figures[2:] == pytest.approx([-1, 0, 1, 4])


@pytest.mark.parametrize(("degrees", "right"), [(29, 1.0), (-29, 1.0), (31, 0.0), (180, 0.0), (None, 0.0)])
def test_a_direction_is_right_within_30_degrees(slide: Path, degrees: float | None, right: float) -> None:
    direction = None if degrees is None else [np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))]
    write_result(slide.parent, slide, SHARES, main_direction=direction)

    assert score(slide.parent, slide.parent)[NETWORK]["direction within 30°"] == right


@pytest.mark.parametrize(("direction", "right"), [(None, 1.0), ([0.0, 1.0], 0.0)])
def test_none_is_right_where_there_is_none(slide: Path, direction: list[float] | None, right: float) -> None:
    write_truth(slide.with_suffix(".geojson"), LESION, pattern="even", direction=None)
    write_result(slide.parent, slide, SHARES, main_direction=direction)

    figures = score(slide.parent, slide.parent)[NETWORK]

    assert figures["none where there is none"] == right
    assert np.isnan(figures["direction within 30°"])


def test_other_networks_one_layer_and_the_dye_stand_beside_it(slide: Path, tmp_path: Path) -> None:
    write_result(tmp_path, slide, SHARES)
    write_result(tmp_path / "random", slide, SHARES, main_direction=[1.0, 0.0])
    torch.manual_seed(0)
    torch.save(SpreadNetwork([2] * 13).state_dict(), tmp_path / "best.pt")

    found = score(tmp_path, tmp_path, [f"random={tmp_path}/random"], tmp_path / "best.pt")

    assert list(found) == [NETWORK, "random", LAYER, DYE, TRUTH]
    assert found["random"]["direction within 30°"] == 1
    # Regions are the bluer the more lesion they hold.
    assert found[DYE]["Spearman of value"] > 0.95


def test_a_slide_of_which_nothing_was_analysed_counts(tmp_path: Path) -> None:
    write_slide(tmp_path / "a.png", LESION)
    write_truth(tmp_path / "a.geojson", LESION)
    write_result(tmp_path, tmp_path / "a.png", [])

    figures = score(tmp_path, tmp_path)[NETWORK]

    assert figures["direction within 30°"] == 0


def test_lesion_that_was_not_analysed_was_missed(slide: Path) -> None:
    # Without the last column, of which one region was reached, and with a region that could not be read.
    values: list[list[float | None]] = [row[:3] for row in SHARES]
    values[1][2] = None
    write_result(slide.parent, slide, values, extent=EXACT | {"mm2_reached": 5 * MM2})

    found = score(slide.parent, slide.parent)

    assert found[NETWORK]["reached off by, regions"] == pytest.approx(1)
    assert found[NETWORK]["Spearman of value"] == pytest.approx(1)
    assert found[TRUTH]["reached off by, regions"] == 0


def test_a_raster_that_begins_beside_the_corner_is_compared_in_place(slide: Path) -> None:
    write_result(slide.parent, slide, [row[1:] for row in SHARES], column=1)

    figures = score(slide.parent, slide.parent)[NETWORK]

    assert figures["Spearman of value"] == pytest.approx(1)
    assert figures["lesion off by, regions"] == pytest.approx(2)


def test_haematoxylin_is_blue_and_eosin_none() -> None:
    blue, pink, white = (np.full((1, 2, 2, 3), colour, np.uint8) for colour in ((90, 80, 160), (230, 120, 200), 255))

    found = haematoxylin(np.concatenate([blue, pink, white]))

    assert found[0] > 0.3
    assert abs(found[1]) < 0.1
    assert found[2] == pytest.approx(0, abs=1e-9)


def test_a_line_brings_a_measure_to_shares() -> None:
    (found,) = as_shares([np.array([1.0, 2.0, 3.0, np.nan])], [np.array([0.2, 0.4, np.nan, 0.1])])

    np.testing.assert_allclose(found, [0.2, 0.4, 0.6, np.nan])
    (same,) = as_shares([np.full(3, 2.0)], [np.array([0.2, 0.4, np.nan])])
    assert np.isfinite(same).all()


def test_what_cannot_be_scored_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="histoserve analyze --pipeline spread"):
        score(tmp_path, tmp_path)
    write_result(tmp_path, tmp_path / "a.png", SHARES)
    with pytest.raises(ValueError, match="no truth at"):
        score(tmp_path, tmp_path)
    write_truth(tmp_path / "a.geojson", LESION, kind="he")
    with pytest.raises(ValueError, match="wanted one of --kind spread"):
        score(tmp_path, tmp_path)
    write_truth(tmp_path / "a.geojson", LESION)
    with pytest.raises(ValueError, match=r"a\.png"):
        score(tmp_path, tmp_path)
    with pytest.raises(ValueError, match="wanted NAME=RESULTS"):
        score(tmp_path, tmp_path, ["random"])
    (tmp_path / "a" / "spread" / "result.json").write_text("{}")
    with pytest.raises(ValueError, match="holds no result of spread"):
        score(tmp_path, tmp_path)


def test_a_picture_without_a_scale_is_not_scored(tmp_path: Path) -> None:
    extent = {"mm2_lesion": None, "mm2_reached": None, "farthest_um": None}
    write_truth(tmp_path / "a.geojson", LESION)
    write_result(tmp_path, tmp_path / "a.png", SHARES, extent=extent)

    with pytest.raises(ValueError, match="no µm per pixel"):
        score(tmp_path, tmp_path)
