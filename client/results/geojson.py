"""Detections as GeoJSON for QuPath, made for version 0.5 (0.4 and newer read it); coordinates are level-0 px.

QuPath shows a slide with bounds (MRXS, SCN, Ventana) cropped to them and counts from their corner: its OpenSlide reader
adds `openslide.bounds-x` and `-y` to every place it reads, unless it was told not to crop. So must the file's
coordinates; those of `result.json` and of all rows are the whole slide's. Outlines are moved here and nowhere else.
"""

import json
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DECIMALS = 2
"""A hundredth of a pixel is finer than any contour here, and digits make up most of the file."""
NAMESPACE = uuid.UUID("8a3f4a52-6d0b-4c0e-9f5e-2b1c7d9e4f60")
"""Of this project's features; never to be changed, or all ids do."""


def detection(
    contour: NDArray[np.float32],
    classification: dict[str, Any],
    measurements: dict[str, float],
    name: str | None = None,
) -> dict[str, Any]:
    """A feature from an outline (vertices, 2), its first vertex not repeated.

    `classification` has a `name` and a `color` (red, green, blue); `measurements` is the map QuPath reads since 0.4;
    `name` is shown in QuPath's list of objects.
    """
    # Adding zero turns −0.0, which prints a sign, into 0.0.
    ring = (np.round(contour.astype(np.float64), DECIMALS) + 0.0).tolist()
    properties = {"objectType": "detection", "classification": classification, "measurements": measurements}
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
        "properties": properties if name is None else {**properties, "name": name},
    }


def write_geojson(path: Path, of: str, features: Iterable[dict[str, Any]], origin: tuple[int, int] = (0, 0)) -> None:
    """One feature a line, each written as it comes: a slide's million nuclei are never one text in memory.

    Each gets an `id`, a UUID as QuPath wants it, that follows from its text and from `of`, the pipeline and the slide:
    the same result has the same ones, so QuPath notices when it is imported twice. `features` are in level-0 px of the
    slide; in the file they count from `origin`, which it then names.
    """
    namespace = uuid.uuid5(NAMESPACE, of)
    named = f'"histoserve_origin": [{origin[0]}, {origin[1]}], ' if any(origin) else ""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(f'{{"type": "FeatureCollection", {named}"features": [')
        separator = "\n"
        for feature in features:
            if any(origin):
                feature = _moved(feature, origin)
            text = json.dumps(feature, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            identity = {"type": feature["type"], "id": str(uuid.uuid5(namespace, text))}
            file.write(separator)
            file.write(json.dumps({**identity, **feature}, ensure_ascii=False, allow_nan=False, separators=(",", ":")))
            separator = ",\n"
        file.write("\n]}\n")


def _moved(feature: dict[str, Any], origin: tuple[int, int]) -> dict[str, Any]:
    """The feature with all its geometries (`geometry`, QuPath's `nucleusGeometry`, …) counted from `origin`."""
    return {
        name: {**value, "coordinates": _from(value["coordinates"], origin)} if _is_geometry(value) else value
        for name, value in feature.items()
    }


def _is_geometry(value: Any) -> bool:
    return isinstance(value, dict) and "coordinates" in value


def _from(coordinates: Any, origin: tuple[int, int]) -> Any:
    """Of any depth."""
    if coordinates and not isinstance(coordinates[0], (int, float)):
        return [_from(each, origin) for each in coordinates]
    return [round(each - start, DECIMALS) for each, start in zip(coordinates, origin, strict=True)]
