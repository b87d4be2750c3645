"""The truth file."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from histoserve.phantom.drawing import TrueObject
from histoserve.phantom.truth import write_truth

SQUARE = TrueObject(2, np.array([[10.0, 20.0], [14.0, 20.0], [14.0, 26.0], [10.0, 26.0]]))


def test_an_object_is_written_with_its_polygon_centre_and_area(tmp_path: Path) -> None:
    write_truth(tmp_path / "truth.json", {"seed": 1}, ("round", "square"), [SQUARE])

    truth = json.loads((tmp_path / "truth.json").read_text())

    assert truth["type"] == "FeatureCollection"
    assert truth["phantom"] == {"seed": 1}
    assert truth["features"] == [
        {
            "type": "Feature",
            "id": 1,
            "geometry": {"type": "Polygon", "coordinates": [[[10, 20], [14, 20], [14, 26], [10, 26], [10, 20]]]},
            "properties": {"type": 2, "name": "square", "centroid": [12, 23], "area": 24},
        }
    ]


def test_a_slide_without_objects_has_an_empty_truth(tmp_path: Path) -> None:
    write_truth(tmp_path / "truth.json", {}, (), [])

    assert json.loads((tmp_path / "truth.json").read_text())["features"] == []


def test_a_drawing_that_fails_leaves_no_truth(tmp_path: Path) -> None:
    def failing() -> Iterator[TrueObject]:
        yield SQUARE
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        write_truth(tmp_path / "truth.json", {}, ("round", "square"), failing())

    assert list(tmp_path.iterdir()) == []
