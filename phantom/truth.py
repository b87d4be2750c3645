"""The truth about a phantom as GeoJSON: one line per object, written as they come."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from histoserve.phantom.drawing import TrueObject


def write_truth(path: Path, header: dict[str, object], types: tuple[str, ...], objects: Iterable[TrueObject]) -> None:
    """Write a FeatureCollection; `header` becomes its member "phantom".

    A feature's geometry is the exact polygon in level-0 pixels; its properties are `type` (number from 1), `name`,
    `centroid` (x, y), `area` (level-0 px²) and what else the kind tells of an object; its `id` counts from 1.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            file.write('{"type": "FeatureCollection",\n"phantom": ' + json.dumps(header) + ',\n"features": [')
            for number, one in enumerate(objects, 1):
                file.write(",\n" if number > 1 else "\n")
                file.write(json.dumps(_feature(number, one, types), separators=(",", ":")))
            file.write("\n]}\n")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _feature(number: int, one: TrueObject, types: tuple[str, ...]) -> dict[str, object]:
    area, x, y = _moments(one.outline)
    ring = [[round(px, 3), round(py, 3)] for px, py in one.outline.tolist()]
    return {
        "type": "Feature",
        "id": number,
        "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
        "properties": {
            "type": one.type,
            "name": types[one.type - 1],
            "centroid": [round(x, 2), round(y, 2)],
            "area": round(area, 2),
            **one.properties,
        },
    }


def _moments(outline: np.ndarray) -> tuple[float, float, float]:
    """Area and centroid of a simple polygon (shoelace formula)."""
    origin = outline[0]
    here = outline - origin
    following = np.roll(here, -1, axis=0)
    cross = here[:, 0] * following[:, 1] - following[:, 0] * here[:, 1]
    x, y = ((here + following) * cross[:, None]).sum(axis=0) / (3 * cross.sum()) + origin
    return abs(float(cross.sum())) / 2, float(x), float(y)
