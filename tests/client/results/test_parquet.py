"""Shapes as GeoParquet: the GeoJSON's outlines and numbers, in columns."""

import json
import resource
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pyarrow import parquet
from shapely import from_wkb
from shapely.geometry import shape

from histoserve.client.results import parquet as parquet_module
from histoserve.client.results.geojson import write_geojson
from histoserve.client.results.layers import Arrows, Class, Grid, Layer, Shape, Shapes
from histoserve.client.results.parquet import can_write, write_parquet

CLASSES = [Class("dark", (1, 2, 3), 1), Class("µ-light", (4, 5, 6), 0)]
ABOUT = {"pipeline": "nuclei", "slide": "a.svs"}


def square(x: float, y: float, side: float) -> NDArray[np.float32]:
    return np.array([[x, y], [x + side, y], [x + side, y + side], [x, y + side]], np.float32)


def scattered(count: int, seed: int = 1) -> list[Shape]:
    """Triangles and more all over a large slide."""
    random = np.random.default_rng(seed)
    return [
        Shape(
            (random.uniform(0, 200_000, 2) + random.uniform(-20, 20, (random.integers(3, 40), 2))).astype(np.float32),
            int(random.integers(2)),
            {"Area µm^2": round(float(random.uniform(1, 900)), 2), "Centroid X px": round(123456.78 + i / 100, 2)},
        )
        for i in range(count)
    ]


def layer(shapes: Sequence[Shape]) -> Shapes:
    return Shapes(CLASSES, lambda: iter(shapes))


def write(folder: Path, *layers: Layer, origin: tuple[int, int] = (0, 0)) -> tuple[list[dict[str, Any]], Any]:
    """The GeoJSON's features, and the table."""
    geojson = folder / "a.geojson"
    written = write_geojson(geojson, "nuclei/a", layers, origin)
    write_parquet(folder / "a.parquet", ABOUT, layers, geojson, written)
    return json.loads(geojson.read_text())["features"], parquet.read_table(folder / "a.parquet")


def metadata(folder: Path, key: str) -> dict[str, Any]:
    """Where GeoPandas looks for it."""
    read: dict[str, Any] = json.loads(parquet.read_schema(folder / "a.parquet").metadata[key.encode()])
    return read


HOLED = Shape(square(0, 0, 9), 0, {"Area px^2": 72.25, "Number": 3}, "dark 1", [square(3, 3, 3)])
SEVERAL = HOLED._replace(of=1, name=None, l0_further=[[square(9, 9, 2)], [square(20, 0, 9), square(21, 1, 3)]])


def test_each_row_is_a_feature(tmp_path: Path) -> None:
    features, table = write(tmp_path, layer([HOLED, SEVERAL, *scattered(500)]))

    rows = table.to_pylist()
    assert len(rows) == len(features) == 502
    for row, feature in zip(rows, features, strict=True):
        properties = feature["properties"]
        assert (row["id"], row["class"], row["name"]) == (
            feature["id"],
            properties["classification"]["name"],
            properties.get("name"),
        )
        read = from_wkb(row["geometry"])
        assert read.equals_exact(shape(feature["geometry"]), tolerance=0)
        assert tuple(row["bbox"].values()) == read.bounds
        for name in ("Area µm^2", "Area px^2", "Number", "Centroid X px"):
            number = properties["measurements"].get(name)
            assert row[name] == (number if number is None or name.endswith((" px", "r")) else np.float32(number))


def test_columns_have_the_types_that_numbers_need(tmp_path: Path) -> None:
    table = write(tmp_path, layer([HOLED, *scattered(1)]))[1]

    assert {field.name: str(field.type) for field in table.schema} == {
        "id": "string",
        "class": "string",
        "name": "string",
        "Area px^2": "float",
        "Number": "int64",
        "Area µm^2": "float",
        "Centroid X px": "double",
        "bbox": "struct<xmin: double, ymin: double, xmax: double, ymax: double>",
        "geometry": "binary",
    }


def test_the_metadata_are_those_of_geoparquet(tmp_path: Path) -> None:
    write(tmp_path, layer([SEVERAL, Shape(square(-1.5, 4, 4), 0, {})]))

    assert metadata(tmp_path, "geo") == {
        "version": "1.1.0",
        "primary_column": "geometry",
        "columns": {
            "geometry": {
                "encoding": "WKB",
                "geometry_types": ["MultiPolygon", "Polygon"],
                "crs": None,
                "edges": "planar",
                "covering": {"bbox": {corner: ["bbox", corner] for corner in ("xmin", "ymin", "xmax", "ymax")}},
                "bbox": [-1.5, 0, 29, 11],
            }
        },
    }
    said = metadata(tmp_path, "histoserve")
    assert said == {
        "schema": 1,
        **ABOUT,
        "coordinates": "level-0 px of the whole slide, x right, y down",
        "classes": [{"name": "dark", "color": [1, 2, 3]}, {"name": "µ-light", "color": [4, 5, 6]}],
    }


def test_places_are_the_whole_slides_wherever_the_geojson_counts_from(tmp_path: Path) -> None:
    features, table = write(tmp_path, layer(scattered(300)), origin=(1500, 901))

    for row, feature in zip(table.to_pylist(), features, strict=True):
        moved = np.array(from_wkb(row["geometry"]).exterior.coords) - (1500, 901)
        np.testing.assert_array_equal(moved.round(2), feature["geometry"]["coordinates"][0])


def test_other_layers_stand_in_the_geojson_alone(tmp_path: Path) -> None:
    grid = Grid("value", np.array([[0.5, np.nan, 1]], np.float32), (0, 0, 10, 10), (0, 1))
    arrows = Arrows("spread", np.zeros((2, 2), np.float32), np.ones((2, 2), np.float32), (0, 0, 0))
    first, second = scattered(3, seed=5), scattered(2, seed=6)
    features, table = write(tmp_path, grid, layer(first), arrows, layer(second))

    of_shapes = [each["id"] for each in features if each["properties"]["objectType"] == "detection"]
    assert len(features) == 2 + 3 + 2 + 2
    assert table["id"].to_pylist() == of_shapes


@pytest.mark.parametrize("layers", [[layer([])], [layer([]), Arrows("a", *np.ones((2, 1, 2), np.float32), (0, 0, 0))]])
def test_a_file_without_rows_has_a_schema(tmp_path: Path, layers: list[Layer]) -> None:
    table = write(tmp_path, *layers)[1]

    assert (table.num_rows, table.schema.names) == (0, ["id", "class", "name", "bbox", "geometry"])
    assert metadata(tmp_path, "geo")["columns"]["geometry"]["geometry_types"] == []
    assert "bbox" not in metadata(tmp_path, "geo")["columns"]["geometry"]


def test_a_measurement_that_bears_a_columns_name_has_another(tmp_path: Path) -> None:
    table = write(tmp_path, layer([Shape(square(0, 0, 1), 0, {"class": 7, "bbox": 0.5})]))[1]

    assert table["class measured"].to_pylist() == [7]
    assert table["bbox measured"].to_pylist() == [0.5]
    assert table["class"].to_pylist() == ["dark"]


def test_a_number_that_is_whole_now_and_then_is_a_float(tmp_path: Path) -> None:
    each = [Shape(square(0, 0, 1), 0, {"Score": value}) for value in (1, 0.5, 2)]
    table = write(tmp_path, layer(each))[1]

    assert str(table.schema.field("Score").type) == "float"
    assert table["Score"].to_pylist() == [1, 0.5, 2]


@pytest.mark.parametrize(("rows", "vertices", "groups"), [(100, 10**6, [100, 100, 50]), (10**6, 400, None)])
def test_rows_are_written_in_groups_of_a_bounded_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int, vertices: int, groups: list[int] | None
) -> None:
    monkeypatch.setattr(parquet_module, "GROUP_ROWS", rows)
    monkeypatch.setattr(parquet_module, "GROUP_VERTICES", vertices)
    shapes = scattered(250)
    table = write(tmp_path, layer(shapes))[1]

    file = parquet.read_metadata(tmp_path / "a.parquet")
    found = [file.row_group(i).num_rows for i in range(file.num_row_groups)]
    assert sum(found) == table.num_rows == 250
    if groups:
        assert found == groups
    ends = np.cumsum([0, *found])
    counts = [sum(len(each.l0_outline) for each in shapes[first:end]) for first, end in pairwise(ends)]
    assert all(count < vertices + 40 for count in counts)


def test_no_more_shapes_than_a_group_are_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_module, "GROUP_ROWS", 50)
    alive, most = [0], [0]

    class Outline(np.ndarray):
        def __del__(self) -> None:
            alive[0] -= self.base is None or isinstance(self.base, bytes)

    def each() -> Iterator[Shape]:
        for _ in range(1000):
            alive[0] += 1
            most[0] = max(most[0], alive[0])
            yield Shape(np.ndarray.__new__(Outline, (4, 2), np.float32, square(0, 0, 9).tobytes()), 0, {})

    write(tmp_path, Shapes(CLASSES, each))

    assert most[0] <= 2 * 50 + 2


def test_a_reader_passes_over_groups_that_lie_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_module, "GROUP_ROWS", 10)
    write(tmp_path, layer([Shape(square(0, y, 1), 0, {}) for y in range(100)]))

    file = parquet.read_metadata(tmp_path / "a.parquet")
    places = [file.row_group(0).column(i).path_in_schema for i in range(file.num_columns)]
    of = [file.row_group(i).column(places.index("bbox.ymin")).statistics for i in range(10)]
    assert [(each.min, each.max) for each in of] == [(i * 10, i * 10 + 9) for i in range(10)]
    assert file.row_group(0).column(places.index("geometry")).statistics is None


def test_the_same_shapes_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_module, "GROUP_ROWS", 100)
    files = []
    for name in ("1", "2"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, layer([HOLED, SEVERAL, *scattered(1_000)]))
        files.append((tmp_path / name / "a.parquet").read_bytes())

    assert files[0] == files[1]


def test_a_full_disk_is_an_os_error_with_its_reason(tmp_path: Path) -> None:
    layers = [layer(scattered(200))]
    written = write_geojson(tmp_path / "a.geojson", "nuclei/a", layers)

    with pytest.raises(OSError, match="No space left") as error:
        write_parquet(Path("/dev/full"), ABOUT, layers, tmp_path / "a.geojson", written)
    assert error.value.strerror == "No space left on device"


@pytest.mark.parametrize("lacking", [1, 100, 5_000, 40_000, 10**9])
def test_wherever_the_disk_is_full_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacking: int) -> None:
    monkeypatch.setattr(parquet_module, "GROUP_ROWS", 50)
    layers = [layer(scattered(500))]
    written = write_geojson(tmp_path / "a.geojson", "nuclei/a", layers)
    write_parquet(tmp_path / "a.parquet", ABOUT, layers, tmp_path / "a.geojson", written)
    size = max(0, (tmp_path / "a.parquet").stat().st_size - lacking)

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        with pytest.raises(OSError, match="File too large") as error:
            write_parquet(tmp_path / "b.parquet", ABOUT, layers, tmp_path / "a.geojson", written)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert error.value.strerror == "File too large"


def test_without_pyarrow_nothing_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    assert can_write()

    monkeypatch.setitem(sys.modules, "pyarrow", None)

    assert not can_write()
