"""Layers as GeoJSON for QuPath, made for version 0.5 (0.4 and newer read it); coordinates are level-0 px.

Shapes are detections, a grid's values tiles with a measurement, arrows lines. Cards point at what is there already.

QuPath shows a slide with bounds (MRXS, SCN, Ventana) cropped to them and counts from their corner: its OpenSlide reader
adds `openslide.bounds-x` and `-y` to every place it reads, unless it was told not to crop. So must the file's
coordinates; those of `result.json` and of all layers are the whole slide's. They are moved here and nowhere else.
"""

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from histoserve.client.results.layers import Arrows, Colour, Grid, Layer, Ring, Shapes

DECIMALS = 2
"""A hundredth of a pixel is finer than any contour here, and digits make up most of the file."""

VALUE_DECIMALS = 6
"""Of a grid's values: no more than a float32 has."""

NAMESPACE = uuid.UUID("8a3f4a52-6d0b-4c0e-9f5e-2b1c7d9e4f60")
"""Of this project's features; never to be changed, or all ids do."""

Feature = dict[str, Any]

START = '{"type":"Feature"'
"""Of every feature's text."""

ID = f'{START},"id":"'
"""So it begins in the file."""


class Written(NamedTuple):
    """What a file holds."""

    features: list[int]
    """How many of each layer; they stand in the order of the layers."""
    measured: dict[str, type]
    """What was measured of shapes: its name, and whether a number is `int` or `float`; in the order of its coming."""


def write_geojson(path: Path, of: str, layers: Iterable[Layer], origin: tuple[int, int] = (0, 0)) -> Written:
    """One feature a line, each written as it comes: a slide's million nuclei are never one text in memory.

    Each gets an `id`, a UUID as QuPath wants it, that follows from its text and from `of`, the pipeline and the slide:
    the same result has the same ones, so QuPath notices when it is imported twice. Places in the file count from
    `origin`, which it then names.
    """
    namespace = uuid.uuid5(NAMESPACE, of)
    named = f'"histoserve_origin": [{origin[0]}, {origin[1]}], ' if any(origin) else ""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(f'{{"type": "FeatureCollection", {named}"features": [')
        separator, written = "\n", Written([], {})
        for layer in layers:
            count = 0
            for feature in _features(layer, np.array(origin, np.float64), written.measured):
                text = json.dumps(feature, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
                # Put in as text: making the text a second time would take as long as all the rest.
                file.write(f'{separator}{ID}{uuid.uuid5(namespace, text)}"{text[len(START) :]}')
                separator, count = ",\n", count + 1
            written.features.append(count)
        file.write("\n]}\n")
    return written


def ids_in(path: Path) -> Iterator[str]:
    """Of the features of a file that `write_geojson` wrote, in their order."""
    start, end = len(ID), len(ID) + len(str(NAMESPACE))
    with path.open("rb") as file:
        yield from (line[start:end].decode() for line in file if line.startswith(ID.encode()))


def _features(layer: Layer, origin: NDArray[np.float64], measured: dict[str, type]) -> Iterator[Feature]:
    if isinstance(layer, Shapes):
        yield from _of_shapes(layer, origin, measured)
    elif isinstance(layer, Grid):
        yield from _of_grid(layer, origin)
    elif isinstance(layer, Arrows):
        yield from _of_arrows(layer, origin)


def _of_shapes(shapes: Shapes, origin: NDArray[np.float64], measured: dict[str, type]) -> Iterator[Feature]:
    classes = [_named(each.name, each.colour) for each in shapes.classes]
    for shape in shapes.each():
        for name, value in shape.measurements.items():
            if measured.get(name) is not float:
                measured[name] = int if isinstance(value, int) else float
        geometry = _of_parts(shape.l0_parts, origin)
        yield _feature("detection", geometry, classes[shape.of], shape.measurements, shape.name)


def _of_grid(grid: Grid, origin: NDArray[np.float64]) -> Iterator[Feature]:
    """By rows."""
    classification = {"name": grid.title}
    measured = grid.title if grid.unit in ("", "%") else f"{grid.title} {grid.unit}"
    for row, column in np.argwhere(np.isfinite(grid.values)):
        polygon = _of_parts([[grid.l0_outline(row, column)]], origin)
        value = round(float(grid.values[row, column]), VALUE_DECIMALS)
        yield _feature("tile", polygon, classification, {measured: value})


def _of_arrows(arrows: Arrows, origin: NDArray[np.float64]) -> Iterator[Feature]:
    classification = _named(arrows.title, arrows.colour)
    for ends in np.stack((arrows.l0_tails, arrows.l0_heads), axis=1):
        line = {"type": "LineString", "coordinates": _places(ends, origin)}
        yield _feature("annotation", line, classification, {})


def _named(name: str, colour: Colour) -> dict[str, Any]:
    return {"name": name, "color": colour}


def _feature(
    kind: str,
    geometry: dict[str, Any],
    classification: dict[str, Any],
    measurements: Mapping[str, float],
    name: str | None = None,
) -> Feature:
    """`measurements` is the map that QuPath reads since 0.4; `name` stands in its list of objects."""
    properties = {"objectType": kind, "classification": classification, "measurements": measurements}
    return {
        "type": "Feature",
        "geometry": geometry,
        "properties": properties if name is None else {**properties, "name": name},
    }


def _of_parts(l0_parts: Sequence[Sequence[Ring]], origin: NDArray[np.float64]) -> dict[str, Any]:
    parts = [[_closed(_places(ring, origin)) for ring in part] for part in l0_parts]
    if len(parts) == 1:
        return {"type": "Polygon", "coordinates": parts[0]}
    return {"type": "MultiPolygon", "coordinates": parts}


def _closed(ring: list[list[float]]) -> list[list[float]]:
    return [*ring, ring[0]]


def _places(l0_points: NDArray[np.floating], origin: NDArray[np.float64]) -> list[list[float]]:
    # Adding zero turns −0.0, which prints a sign, into 0.0.
    return (np.round(l0_points.astype(np.float64) - origin, DECIMALS) + 0.0).tolist()
