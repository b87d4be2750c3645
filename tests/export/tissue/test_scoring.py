"""Served tiles against the truth of their slides, beside other ways of looking at these."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_up_tissue import TILE, textured, write_result, write_training, write_truth
from rich.console import Console

from histoserve.export.tissue.answers import Answer
from histoserve.export.tissue.by_hand import by_hand
from histoserve.export.tissue.classes import TILE_PX
from histoserve.export.tissue.figures import Scored, figures, groups
from histoserve.export.tissue.score import BY_HAND, FEWER, MEAN, NETWORK, TRUE, score, table
from histoserve.export.tissue.truth import Truth
from histoserve.phantom.lesion.share import Cells

CELLS = {(0, 0): (8, 2), (1, 0): (10, 0), (0, 1): (9, 1), (1, 1): (5, 5)}
"""Shares 0.2 (of neither), 0, 0.1 (of neither), 0.5."""
RIGHT = [[0.9, 0.1], [0.9, 0.9]]
MEASURES = ("slides rightly classed", "normal or not", "balanced tile accuracy", "IoU of abnormal tiles")


def of(found: dict[str, float]) -> tuple[float, ...]:
    return tuple(found[name] for name in MEASURES)


@pytest.mark.parametrize(
    ("found", "values", "expected"),
    [
        ("solid", RIGHT, (1, 1, 1, 1)),
        ("cribriform", RIGHT, (0, 1, 1, 1)),
        ("normal", [[0.1, 0.1], [0.1, 0.1]], (0, 0, 0.5, 0)),
        ("solid", [[0.1, 0.9], [0.1, 0.9]], (1, 1, 0.5, 0.5)),
        ("solid", [[0.9, None], [0.9, 0.5]], (1, 1, 1, 1)),
    ],
)
def test_figures_are_of_the_tiles_that_count(tmp_path: Path, found: str, values: list, expected: tuple) -> None:
    write_truth(tmp_path / "a.geojson", CELLS)
    write_result(tmp_path, Path("a.tiff"), found, values)

    assert of(score(tmp_path, tmp_path)[NETWORK]) == expected


def test_the_mean_of_all_tiles_drowns_a_small_lesion(tmp_path: Path) -> None:
    write_truth(tmp_path / "a.geojson", CELLS)
    write_result(tmp_path, Path("a.tiff"), "solid", [[0.1, 0.1], [0.1, 0.9]])

    found = score(tmp_path, tmp_path)

    assert (found[NETWORK]["slides rightly classed"], found[MEAN]["slides rightly classed"]) == (1, 0)
    assert found[FEWER]["slides rightly classed"] == 0
    assert np.isnan(found[MEAN]["IoU of abnormal tiles"])


def test_a_lesion_of_fewer_tiles_than_decide_is_beyond_the_rule(tmp_path: Path) -> None:
    for name, cells in (("small", {(1, 1): (5, 5), (0, 0): (9, 0)}), ("none", {(0, 0): (9, 0)})):
        write_truth(tmp_path / f"{name}.geojson", cells)
        write_result(tmp_path, Path(f"{name}.tiff"), "normal", [[0.1, 0.1], [0.1, 0.9]])

    found = score(tmp_path, tmp_path)

    # Of the two tiles that decide, one is abnormal: that is half, and enough. None is not.
    assert of(found[TRUE]) == (0.5, 0.5, 1, 1)
    assert of(found[NETWORK])[:2] == (0, 0)


def test_a_slide_without_a_tile_is_neither_normal_nor_not(tmp_path: Path) -> None:
    for name, true in (("a", "solid"), ("b", "normal")):
        write_truth(tmp_path / f"{name}.geojson", CELLS, **{"class": true})
        write_result(tmp_path, Path(f"{name}.tiff"), None, [])

    found = score(tmp_path, tmp_path)

    assert found[NETWORK]["normal or not"] == found[MEAN]["normal or not"] == 0
    assert np.isnan(found[NETWORK]["balanced tile accuracy"])


def test_another_network_stands_beside(tmp_path: Path) -> None:
    write_truth(tmp_path / "a.geojson", CELLS)
    write_result(tmp_path / "one", Path("a.tiff"), "solid", RIGHT)
    write_result(tmp_path / "other", Path("a.tiff"), "normal", [[0.1, 0.1], [0.1, 0.1]])

    found = score(tmp_path, tmp_path / "one", other=[f"taps33={tmp_path / 'other'}"])

    assert list(found) == [NETWORK, "taps33", FEWER, MEAN, TRUE]
    assert of(found["taps33"]) == (0, 0, 0.5, 0)


def test_hand_made_features_look_at_the_tiles_that_were_served(tmp_path: Path) -> None:
    write_training(tmp_path)
    picture = np.vstack([np.hstack([textured(c, TILE, seed=7 + c) for c in row]) for row in ((1, 0), (0, 1))])
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    write_truth(tmp_path / "a.geojson", CELLS)
    # What the network said does not matter to them; which tiles it saw, does.
    write_result(tmp_path, tmp_path / "a.png", "normal", [[None, 0.1], [0.1, 0.1]])

    found = score(tmp_path, tmp_path, by_hand=tmp_path / "kept.npz", training=tmp_path)
    (tmp_path / "0.npz").unlink()
    again = score(tmp_path, tmp_path, by_hand=tmp_path / "kept.npz", training=tmp_path)

    assert of(found[BY_HAND]) == (1, 1, 1, 1)
    assert of(found[NETWORK]) == (0, 0, 0.5, 0)
    assert again[BY_HAND] == found[BY_HAND]


def test_what_the_features_are_fitted_on_is_told_apart(tmp_path: Path) -> None:
    write_training(tmp_path)
    classify = by_hand(None, tmp_path)

    tiles = np.stack([textured(c, TILE_PX * 2, seed=20 + c)[::2, ::2] for c in (0, 1, 2)])

    assert classify(tiles).argmax(axis=1).tolist() == [0, 1, 2]
    assert classify(tiles[:0]).shape == (0, 3)


def test_groups_have_each_slide_where_it_belongs() -> None:
    nothing = Cells(np.empty((0, 2)), np.empty(0, bool))
    answer = {"network": Answer("solid", np.empty(0, bool), np.empty(0, bool))}
    made = [("normal", 0.0, "training"), ("solid", 0.05, "outside"), ("solid", 0.4, "training")]
    slides = [Scored(Truth(*each, nothing), answer) for each in made]

    found = {name: [slides.index(each) for each in own] for name, own in groups(slides).items()}

    assert found == {
        **{"all slides": [0, 1, 2], "stains: training": [0, 2], "stains: outside": [1]},
        **{"class: normal": [0], "class: solid": [1, 2], "lesion: 0% to 5%": [1], "lesion: over 15%": [2]},
    }
    assert figures(slides, "network")["slides rightly classed"] == pytest.approx(2 / 3)


def test_the_table_is_read_in_140_columns() -> None:
    nothing = Cells(np.empty((0, 2)), np.empty(0, bool))
    tiles = np.array([True, False])
    ways = (NETWORK, "taps33", BY_HAND, MEAN)
    console = Console(width=140, record=True)
    slides = [Scored(Truth("solid", 0.1, "outside", nothing), {way: Answer("solid", tiles, tiles) for way in ways})]
    console.print(table(slides))

    lines = [[part.strip() for part in line.split("│")[1:-1]] for line in console.export_text().splitlines()]
    assert ["all slides", "1", NETWORK, *["1.000"] * 4] in lines
    assert ["", "", BY_HAND, *["1.000"] * 4] in lines


def test_what_cannot_be_scored_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="histoserve analyze --pipeline tissue"):
        score(tmp_path, tmp_path)
    write_result(tmp_path, Path("a.tiff"), "solid", [[0.5]])
    with pytest.raises(ValueError, match=r"no truth at .*a.geojson"):
        score(tmp_path, tmp_path)
    write_truth(tmp_path / "a.geojson", CELLS, kind="he")
    with pytest.raises(ValueError, match="wanted one of --kind lesion"):
        score(tmp_path, tmp_path)
    write_truth(tmp_path / "a.geojson", CELLS)
    with pytest.raises(ValueError, match=r"elsewhere.*holds no result of tissue"):
        score(tmp_path, tmp_path, other=[f"b={tmp_path / 'elsewhere'}"])
    for wrong in ("b", "=b", "b=", f"{MEAN}=b"):
        with pytest.raises(ValueError, match="wanted NAME=RESULTS"):
            score(tmp_path, tmp_path, other=[wrong])


def test_features_without_a_slide_or_a_training_say_so(tmp_path: Path) -> None:
    write_truth(tmp_path / "a.geojson", CELLS)
    write_result(tmp_path, Path("a.png"), "solid", RIGHT)
    with pytest.raises(ValueError, match=r"absent.npz holds no classifier"):
        score(tmp_path, tmp_path, by_hand=tmp_path / "absent.npz")
    with pytest.raises(ValueError, match="no tile of the class normal"):
        score(tmp_path, tmp_path, training=tmp_path)
    write_training(tmp_path)
    (tmp_path / "3.partial.npz").write_bytes(b"half a file")
    with pytest.raises(ValueError, match=r"a.png cannot be read"):
        score(tmp_path, tmp_path, training=tmp_path)
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(ValueError, match=r"a.png is not the slide of the result"):
        score(tmp_path, tmp_path, training=tmp_path)
    (tmp_path / "3.npz").write_bytes(b"half a file")
    with pytest.raises(ValueError, match=r"3.npz is no slide of a training"):
        score(tmp_path, tmp_path, training=tmp_path)


@pytest.mark.parametrize("damage", ["{", "[]", '{"pipeline": {}}'])
def test_a_damaged_result_is_named(tmp_path: Path, damage: str) -> None:
    write_truth(tmp_path / "a.geojson", CELLS)
    write_result(tmp_path, Path("a.tiff"), "solid", RIGHT)
    (tmp_path / "a" / "tissue" / "result.json").write_text(damage)

    with pytest.raises(ValueError, match=r"a/tissue holds no result of tissue"):
        score(tmp_path, tmp_path)


def test_a_damaged_truth_is_named(tmp_path: Path) -> None:
    write_result(tmp_path, Path("a.tiff"), "solid", RIGHT)
    (tmp_path / "a.geojson").write_text(json.dumps({"phantom": {"kind": "lesion"}}))

    with pytest.raises(ValueError, match=r"a.geojson is not the truth that was wanted"):
        score(tmp_path, tmp_path)
