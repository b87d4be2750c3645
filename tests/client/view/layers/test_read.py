"""GeoJSON as it should be, of other tools, and damaged."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_layers import ellipse, scattered, shapes_of

from histoserve.client.results.layers import Arrows, Grid
from histoserve.client.view.layers.drawn import DrawnLayer
from histoserve.client.view.layers.read import FARTHEST_PX, Rings, Wanted, read

SQUARE = [[10, 10], [30, 10], [30, 30], [10, 30], [10, 10]]
INNER = [[15, 15], [25, 15], [25, 25], [15, 25], [15, 15]]
SIZE = 600, 500


def feature(kind: str, coordinates: Any, name: str = "round") -> str:
    properties = {"classification": {"name": name}, "measurements": {"Area": 400}}
    geometry = {"type": kind, "coordinates": coordinates}
    return json.dumps({"type": "Feature", "geometry": geometry, "properties": properties})


def rings_of(folder: Path, *features: str, expected: int | None = None) -> Rings:
    """Of a file with these lines, all of one layer."""
    path = folder / "made_up.geojson"
    lines = ",\n".join(features)
    path.write_text(f'{{"type": "FeatureCollection", "features": [\n{lines}\n]}}\n')
    wanted = Wanted(len(features) if expected is None else expected, ["round", "oval"])
    parts = [rings for _, rings in read(path, [wanted], lambda share: None)]
    assert len(parts) == 1
    return parts[0]


def test_shapes_are_found_among_other_layers_and_moved_back_by_the_origin(write: Callable[..., Path]) -> None:
    outlines = scattered(50, SIZE)
    grid = Grid("g", np.array([[1, np.nan]], np.float32), (0, 0, 10, 10), (0, 1))
    arrows = Arrows("a", np.zeros((3, 2), np.float32), np.ones((3, 2), np.float32), (0, 0, 0))
    folder = write(grid, shapes_of(outlines[:20]), arrows, shapes_of(outlines[20:]), origin=(1000, 2000))
    classes = ["round", "oval"]
    wanted = [Wanted(1, None), Wanted(20, classes), Wanted(3, None), Wanted(30, classes)]
    parts = dict(read(folder / "made_up.geojson", wanted, lambda share: None))
    np.testing.assert_allclose(parts[1].l0_points, np.concatenate(outlines[:20]), atol=0.006)
    np.testing.assert_allclose(parts[3].l0_points, np.concatenate(outlines[20:]), atol=0.006)
    assert parts[3].of.tolist() == [0, 1] * 15


def test_holes_and_several_parts_are_rings_of_one_feature(tmp_path: Path) -> None:
    away = (np.array(SQUARE) + 100).tolist()
    rings = rings_of(tmp_path, feature("MultiPolygon", [[SQUARE, INNER], [away]]), feature("Polygon", [SQUARE]))
    assert rings.counts.tolist() == [4, 4, 4, 4]
    assert rings.hole.tolist() == [False, True, False, False]
    assert len(set(rings.line[:3].tolist())) == 1
    assert rings.line[3] != rings.line[0]


@pytest.mark.parametrize(
    ("coordinates", "counts"),
    [
        ([[[1, 2], [3, 4]]], [2]),
        ([[[1, 2]]], [1]),
        ([[[1, 2], [1, 2]]], [1]),
        ([[[1, 2, 9], [3, 4, 9], [5, 9, 9]]], [3]),
        ([[]], []),
        ([], []),
        ([[[1e300, 0], [-1e300, 5], [0, -7e30]]], [3]),
    ],
)
def test_odd_outlines_are_read(coordinates: Any, counts: list[int], tmp_path: Path) -> None:
    rings = rings_of(tmp_path, feature("Polygon", coordinates))
    assert rings.counts.tolist() == counts
    assert np.abs(rings.l0_points).max(initial=0) <= FARTHEST_PX


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "[]",
        "7",
        '{"type": "Feature"}',
        '{"type": "Feature", "geometry": null, "properties": {}}',
        feature("Point", [1, 2]),
        feature("Polygon", [SQUARE], "of no class"),
        feature("Polygon", SQUARE),
        feature("Polygon", 5),
        feature("Polygon", [["ab", "cd", "ef"]]),
        feature("Polygon", [[[1, None], [2, 3], [4, 5]]]),
        feature("Polygon", [[[1], [2, 3], [4, 5, 6, 7]]]),
        feature("Polygon", [[[float("nan"), 1], [2, 3], [4, 5]]]),
        feature("Polygon", [[[float("inf"), 1], [2, 3], [4, 5]]]),
        feature("Polygon", [SQUARE]).replace("10", "1e999"),
    ],
)
def test_what_is_no_shape_is_refused_in_one_sentence(line: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^made_up\.geojson, line \d+: it [^\n]*$"):
        rings_of(tmp_path, feature("Polygon", [SQUARE]), line)


@pytest.mark.parametrize("expected", [-1, 1, 3])
def test_fewer_or_more_features_than_expected_are_refused(expected: int, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"made_up.geojson, line \d: .*layers\.json"):
        rings_of(tmp_path, *[feature("Polygon", [SQUARE])] * 2, expected=expected)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.5, 0.999])
def test_a_file_that_is_cut_off_is_refused(
    share: float, write: Callable[..., Path], reopen: Callable[..., dict[str, DrawnLayer]]
) -> None:
    folder = write(shapes_of(scattered(30, SIZE)))
    path = folder / "made_up.geojson"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ValueError, match=r"^made_up\.geojson, line \d+: it "):
        reopen(folder, SIZE)


@pytest.mark.parametrize("header", ["", "[", '{"features": [', '{"histoserve_origin": [1], "features": [', "{}", "5"])
def test_a_header_is_read_or_refused(header: str, tmp_path: Path) -> None:
    path = tmp_path / "made_up.geojson"
    path.write_text(f"{header}\n]}}\n")
    if header == '{"features": [':
        assert list(read(path, [Wanted(0, ["round"])], lambda share: None)) == []
    else:
        with pytest.raises(ValueError, match="line 1: it is not how histoserve begins such a file"):
            list(read(path, [Wanted(0, ["round"])], lambda share: None))


def test_a_missing_file_is_refused(write: Callable[..., Path], reopen: Callable[..., dict[str, DrawnLayer]]) -> None:
    folder = write(shapes_of([ellipse(20, 20, 5, 5)]))
    (folder / "made_up.geojson").unlink()
    with pytest.raises(ValueError, match=r"^made_up\.geojson cannot be read: No such file"):
        reopen(folder, SIZE)
