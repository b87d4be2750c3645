"""Layers as GeoJSON: readable by others, placed where they should be, one at a time."""

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from shapely.geometry import shape

from histoserve.client.results.geojson import write_geojson
from histoserve.client.results.layers import Arrows, Card, Cards, Class, Grid, Shape, Shapes

DARK = Class("dark", (1, 2, 3), 1)
TRIANGLE = np.array([[0, 0], [9, 9], [0, 9]], np.float32)


def shapes(*each: Shape) -> Shapes:
    return Shapes([DARK], lambda: iter(each))


def test_features_are_written_one_a_line(tmp_path: Path) -> None:
    outline = np.array([[0.123, -0.001], [10, 0], [10.456, 10], [0, 10]], np.float32)
    write_geojson(tmp_path / "a.geojson", "nuclei/a", [shapes(*[Shape(outline, 0, {"Area µm^2": 1.5})] * 3)])

    text = (tmp_path / "a.geojson").read_text(encoding="utf-8")
    collection = json.loads(text)

    assert len(text.splitlines()) == 3 + 2
    assert collection["features"][0]["geometry"]["coordinates"][0][:3] == [[0.12, 0.0], [10, 0], [10.46, 10]]
    assert "-0.0" not in text
    assert all(shape(feature["geometry"]).is_valid for feature in collection["features"])


def test_a_line_is_to_the_byte_what_it_was_before_there_were_layers(tmp_path: Path) -> None:
    write_geojson(tmp_path / "a.geojson", "nuclei/a", [shapes(Shape(TRIANGLE, 0, {"Number": 1}, "dark 1"))])

    assert (tmp_path / "a.geojson").read_text().splitlines()[1] == (
        '{"type":"Feature","id":"b1957e26-e943-53fe-89f7-3b88f8c19206",'
        '"geometry":{"type":"Polygon","coordinates":[[[0.0,0.0],[9.0,9.0],[0.0,9.0],[0.0,0.0]]]},'
        '"properties":{"objectType":"detection","classification":{"name":"dark","color":[1,2,3]},'
        '"measurements":{"Number":1},"name":"dark 1"}}'
    )


def test_ids_are_uuids_that_follow_from_slide_and_feature(tmp_path: Path) -> None:
    each = [Shape(np.add(TRIANGLE, (x, 0)), 0, {}) for x in range(3)]
    ids = []
    for of, order in (("nuclei/a", 1), ("nuclei/a", -1), ("nuclei/b", 1)):
        write_geojson(tmp_path / "a.geojson", of, [shapes(*each[::order])])
        collection = json.loads((tmp_path / "a.geojson").read_text())
        ids.append([str(UUID(feature["id"])) for feature in collection["features"]])

    assert ids[0] == ids[1][::-1]
    assert len({*ids[0], *ids[2]}) == 6


def test_a_shape_with_a_hole_and_a_further_part_is_one_feature(tmp_path: Path) -> None:
    def square(x: float, y: float, side: float) -> np.ndarray:
        return np.array([[x, y], [x + side, y], [x + side, y + side], [x, y + side]], np.float32)

    holed = Shape(square(0, 0, 9), 0, {}, None, [square(3, 3, 3)])
    both = holed._replace(l0_further=[[square(9, 9, 2)]])
    write_geojson(tmp_path / "a.geojson", "tissue/a", [shapes(holed, both)])

    geometries = [each["geometry"] for each in json.loads((tmp_path / "a.geojson").read_text())["features"]]
    assert [each["type"] for each in geometries] == ["Polygon", "MultiPolygon"]
    assert [shape(each).area for each in geometries] == [72, 76]
    assert all(shape(each).is_valid for each in geometries)


@pytest.mark.parametrize("layers", [[], [shapes()]])
def test_a_collection_without_features_is_valid(tmp_path: Path, layers: list[Shapes]) -> None:
    write_geojson(tmp_path / "a.geojson", "nuclei/a", layers)

    assert json.loads((tmp_path / "a.geojson").read_text()) == {"type": "FeatureCollection", "features": []}


def test_shapes_are_never_all_in_memory(tmp_path: Path) -> None:
    alive, most = [0], [0]

    class Outline(np.ndarray):
        def __del__(self) -> None:
            alive[0] -= 1

    def each() -> Iterator[Shape]:
        for _ in range(1000):
            alive[0] += 1
            most[0] = max(most[0], alive[0])
            yield Shape(np.ndarray.__new__(Outline, (3, 2), np.float32, TRIANGLE.tobytes()), 0, {})

    write_geojson(tmp_path / "a.geojson", "nuclei/a", [Shapes([DARK], each)])

    assert most[0] <= 2
    assert len((tmp_path / "a.geojson").read_text().splitlines()) == 1000 + 2


def test_places_count_from_the_origin_that_the_file_names(tmp_path: Path) -> None:
    square = np.array([[1500, 900], [1510.5, 900], [1510.5, 920], [1500, 920]], np.float32)
    arrows = Arrows("spread", square[:1], square[2:3], (0, 0, 0))
    grid = Grid("value", np.array([[0.5]], np.float32), (1500, 900, 10.5, 20), (0, 1))
    layers = [shapes(Shape(square, 0, {"Area px^2": 210.0})), arrows, grid]
    write_geojson(tmp_path / "a.geojson", "nuclei/a", layers, (1500, 900))

    written = json.loads((tmp_path / "a.geojson").read_text())
    assert written["histoserve_origin"] == [1500, 900]
    assert [shape(each["geometry"]).bounds for each in written["features"]] == [(0, 0, 10.5, 20)] * 3
    assert written["features"][0]["properties"]["measurements"] == {"Area px^2": 210.0}


def test_a_grid_is_a_tile_for_each_value_that_is_there(tmp_path: Path) -> None:
    values = np.array([[0.25, np.nan, 1], [np.nan, 0.5, np.nan]], np.float32)
    write_geojson(tmp_path / "a.geojson", "spread/a", [Grid("extent", values, (10, 20, 100, 50), (0, 1), "mm²")])

    features = json.loads((tmp_path / "a.geojson").read_text())["features"]
    assert [each["properties"]["measurements"] for each in features] == [
        {"extent mm²": 0.25},
        {"extent mm²": 1.0},
        {"extent mm²": 0.5},
    ]
    assert [shape(each["geometry"]).bounds for each in features] == [
        (10, 20, 110, 70),
        (210, 20, 310, 70),
        (110, 70, 210, 120),
    ]
    assert {each["properties"]["objectType"] for each in features} == {"tile"}


def test_cards_add_nothing_to_the_shapes_they_point_at(tmp_path: Path) -> None:
    cards = Cards("peaks", "places", [DARK], [Card(np.array([0, 0, 9, 9]), 1, 0, "dark", {})])
    write_geojson(tmp_path / "a.geojson", "peakmap/a", [cards])

    assert json.loads((tmp_path / "a.geojson").read_text())["features"] == []
