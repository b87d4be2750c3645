"""Shapes as GeoParquet 1.1, for those who analyse; written where pyarrow is installed (the extra `[parquet]`).

A row a shape, in the order of the GeoJSON beside it, with the same outline and the same numbers:

    id           as in the GeoJSON
    class        name of its class
    name         as a viewer lists it; null where that is the class
    <measured>   a column each, under its name in the GeoJSON, which tells the unit; null where it was not measured
    bbox         xmin, ymin, xmax, ymax: by it a reader passes over what lies elsewhere
    geometry     WKB, a polygon or several

Places are level-0 px of the whole slide, x right, y down, whatever the GeoJSON counts from; so there is no `crs`.
They are float64, since at 100,000 px a float32 steps by 1/128; whole numbers are int64, all other numbers float32.
"""

import json
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from histoserve.client.results.geojson import DECIMALS, Written, ids_in
from histoserve.client.results.layers import Layer, Shape, Shapes

VERSION = "1.1.0"
"""Of GeoParquet."""

SCHEMA = 1
"""Of `histoserve` in the file's metadata; another number whenever a reader of the one before would be misled."""

GROUP_ROWS, GROUP_VERTICES = 2**14, 2**20
"""A row group ends with the row that reaches either: no more is in memory at a time."""

PLACE = " px"
"""How the names of measured places end."""

COORDINATES = "level-0 px of the whole slide, x right, y down"

CORNERS = ("xmin", "ymin", "xmax", "ymax")
FIRST, LAST = ("id", "class", "name"), ("bbox", "geometry")
"""Columns that are not measured."""

POLYGON, MULTIPOLYGON = 3, 6
KINDS = {POLYGON: "Polygon", MULTIPOLYGON: "MultiPolygon"}
"""In WKB, and as GeoParquet names them."""


class _Row(NamedTuple):
    id: str
    named: str
    """Its class."""
    shape: Shape


def can_write() -> bool:
    """Whether there is a pyarrow that loads, and is new enough."""
    try:
        from pyarrow import parquet
    except ImportError:
        return False
    return hasattr(parquet.ParquetWriter, "add_key_value_metadata")


def write_parquet(
    path: Path, about: Mapping[str, str], layers: Sequence[Layer], geojson: Path, written: Written
) -> None:
    """All shapes of `layers`, which stand in `geojson` already as `written` says; `about` them, in the metadata.

    The same shapes give the same bytes, by one version of pyarrow. Raises OSError.
    """
    from pyarrow import parquet

    schema = _schema(written.measured)
    settings = {
        "compression": "zstd",
        "use_dictionary": ["class"],
        # The least and the greatest of the outlines or ids help nobody.
        "write_statistics": [*schema.names[1:-2], *(f"bbox.{corner}" for corner in CORNERS)],
        # Readers would take the metadata of Arrow's own copy of the schema for all there is.
        "store_schema": False,
    }
    kinds: set[str] = set()
    boxes = np.empty((0, 4))
    with path.open("wb") as file, parquet.ParquetWriter(file, schema, **settings) as writer:
        for rows in _groups(_rows(layers, geojson, written.features)):
            outlines = _Outlines([row.shape for row in rows])
            writer.write_table(_table(schema, list(written.measured), rows, outlines))
            kinds.update(outlines.kinds)
            boxes = _around(np.concatenate((boxes, outlines.boxes)))
        writer.add_key_value_metadata({"geo": _geo(kinds, boxes), "histoserve": _said(about, layers)})


def _schema(measured: Mapping[str, type]) -> Any:
    import pyarrow

    text, corners = pyarrow.string(), [(corner, pyarrow.float64()) for corner in CORNERS]
    numbers = {int: pyarrow.int64(), float: pyarrow.float32()}
    # Whatever is measured under a name of ours has another.
    columns = [name if name not in FIRST + LAST else f"{name} measured" for name in measured]
    of_columns = [pyarrow.float64() if name.endswith(PLACE) else numbers[of] for name, of in measured.items()]
    return pyarrow.schema(
        [
            *((name, text) for name in FIRST),
            *zip(columns, of_columns, strict=True),
            *zip(LAST, (pyarrow.struct(corners), pyarrow.binary()), strict=True),
        ]
    )


def _table(schema: Any, measured: Sequence[str], rows: Sequence[_Row], outlines: "_Outlines") -> Any:
    import pyarrow

    corners = [pyarrow.array(corner) for corner in outlines.boxes.T]
    columns = [
        *([row.id for row in rows], [row.named for row in rows], [row.shape.name for row in rows]),
        *([row.shape.measurements.get(name) for row in rows] for name in measured),
        pyarrow.StructArray.from_arrays(corners, CORNERS),
        outlines.wkb,
    ]
    return pyarrow.table(columns, schema=schema)


def _rows(layers: Iterable[Layer], geojson: Path, features: Iterable[int]) -> Iterator[_Row]:
    """With the ids of the features that the shapes became."""
    ids = ids_in(geojson)
    for layer, count in zip(layers, features, strict=True):
        own = islice(ids, count)
        if isinstance(layer, Shapes):
            names = [each.name for each in layer.classes]
            yield from (_Row(own_id, names[shape.of], shape) for own_id, shape in zip(own, layer.each(), strict=True))
        else:
            for _ in own:
                pass


def _groups(rows: Iterable[_Row]) -> Iterator[list[_Row]]:
    group, vertices = list[_Row](), 0
    for row in rows:
        group.append(row)
        vertices += sum(map(len, row.shape.l0_rings))
        if len(group) >= GROUP_ROWS or vertices >= GROUP_VERTICES:
            yield group
            group, vertices = [], 0
    if group:
        yield group


class _Outlines:
    """Of a row group, one of at least one shape, rounded as in the GeoJSON."""

    def __init__(self, shapes: Sequence[Shape]):
        rings = [[np.concatenate((ring, ring[:1])) for ring in shape.l0_rings] for shape in shapes]
        lengths = [[len(ring) for ring in each] for each in rings]
        # All at once: a ring at a time takes several times as long.
        points = np.round(np.concatenate(list(chain.from_iterable(rings))).astype(np.float64), DECIMALS) + 0.0
        starts = np.cumsum([0, *map(sum, lengths)])[:-1]
        self.boxes = np.hstack((np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts)))
        """(shapes, 4): as CORNERS."""
        ends = np.cumsum(list(chain.from_iterable(lengths))).tolist()
        coordinates, size = memoryview(points.astype("<f8").tobytes()), 2 * points.itemsize
        each = (coordinates[first * size : end * size] for first, end in zip([0, *ends[:-1]], ends, strict=True))
        self.wkb = [_wkb([list(islice(each, len(part))) for part in shape.l0_parts], size) for shape in shapes]
        self.kinds = {KINDS[wkb[1]] for wkb in self.wkb}


def _wkb(parts: Sequence[Sequence[memoryview]], size: int) -> bytes:
    """Of the coordinates of each part's rings, little-endian, `size` bytes a vertex."""
    polygons = [
        b"".join([_head(POLYGON, len(rings)), *(each for ring in rings for each in (_count(len(ring) // size), ring))])
        for rings in parts
    ]
    return polygons[0] if len(polygons) == 1 else b"".join([_head(MULTIPOLYGON, len(polygons)), *polygons])


def _head(kind: int, count: int) -> bytes:
    return struct.pack("<BII", 1, kind, count)


def _count(count: int) -> bytes:
    return struct.pack("<I", count)


def _around(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """(1, 4): around all of them."""
    return np.concatenate((boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)))[None]


def _geo(kinds: Iterable[str], boxes: NDArray[np.float64]) -> str:
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": sorted(kinds),
        "crs": None,
        "edges": "planar",
        "covering": {"bbox": {corner: ["bbox", corner] for corner in CORNERS}},
    }
    if len(boxes):
        column["bbox"] = boxes[0].tolist()
    return json.dumps({"version": VERSION, "primary_column": "geometry", "columns": {"geometry": column}})


def _said(about: Mapping[str, str], layers: Iterable[Layer]) -> str:
    classes = [each for layer in layers if isinstance(layer, Shapes) for each in layer.classes]
    colours = [{"name": each.name, "color": each.colour} for each in classes]
    return json.dumps({"schema": SCHEMA, **about, "coordinates": COORDINATES, "classes": colours})
