"""Served tiles against the truth of their slide, on a slide of four tiles."""

import json
import shutil
from pathlib import Path

import pytest

from histoserve.export.tissue.score import score

SIDE = 100
CELLS = {(0, 0): (8, 2), (1, 0): (10, 0), (0, 1): (9, 1), (1, 1): (5, 5)}
"""Column, row of a tile → its normal and lesion cells: shares 0.2 (of neither), 0, 0.1 (of neither), 0.5."""


def write(folder: Path, found: str, values: list[list[float]], kind: str = "lesion") -> None:
    cells = [
        {"properties": {"centroid": [SIDE * x + 5, SIDE * y + 5], "name": name}}
        for (x, y), counts in CELLS.items()
        for name, count in zip(("stroma", "lesion"), counts, strict=True)
        for _ in range(count)
    ]
    header = {"kind": kind, "class": "solid", "share_of_tissue": 0.2, "stains": "training"}
    (folder / "a.geojson").write_text(json.dumps({"phantom": header, "features": cells}))
    result = folder / "a" / "tissue"
    result.mkdir(parents=True)
    grid = {"kind": "grid", "values": values, "first": [0, 0, SIDE, SIDE]}
    (result / "layers.json").write_text(json.dumps({"layers": [grid]}))
    (result / "result.json").write_text(json.dumps({"result": {"class": found}}))


@pytest.mark.parametrize(
    ("found", "values", "expected"),
    [
        ("solid", [[0.9, 0.1], [0.9, 0.9]], (1.0, 1.0, 1.0)),
        ("normal", [[0.1, 0.1], [0.1, 0.1]], (0.0, 0.5, 0.0)),
        ("solid", [[0.1, 0.9], [0.1, 0.9]], (1.0, 0.5, 0.5)),
    ],
)
def test_figures_are_of_the_tiles_that_count(tmp_path: Path, found: str, values: list, expected: tuple) -> None:
    write(tmp_path, found, values)

    figures = score(tmp_path, tmp_path)

    names = ("slides rightly classed", "balanced tile accuracy", "IoU of abnormal tiles")
    assert tuple(figures[name] for name in names) == expected


def test_a_slide_of_which_nothing_was_analysed_is_wrong_and_has_no_tiles(tmp_path: Path) -> None:
    write(tmp_path, "solid", [[0.9, 0.1], [0.9, 0.9]])
    result = tmp_path / "a" / "tissue"
    (tmp_path / "b.geojson").write_bytes((tmp_path / "a.geojson").read_bytes())
    shutil.copytree(result, tmp_path / "b" / "tissue")
    (tmp_path / "b" / "tissue" / "layers.json").write_text(json.dumps({"layers": []}))
    (tmp_path / "b" / "tissue" / "result.json").write_text(json.dumps({"result": {"class": None}}))

    figures = score(tmp_path, tmp_path)

    assert (figures["slides rightly classed"], figures["balanced tile accuracy"]) == (0.5, 1.0)


def test_what_cannot_be_scored_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="histoserve analyze --pipeline tissue"):
        score(tmp_path, tmp_path)
    write(tmp_path, "solid", [[0.5]], kind="he")
    with pytest.raises(ValueError, match="wanted one of --kind lesion"):
        score(tmp_path, tmp_path)
    (tmp_path / "a.geojson").unlink()
    with pytest.raises(ValueError, match="has no truth"):
        score(tmp_path, tmp_path)
