"""Detections as GeoJSON that QuPath (0.4 or newer) opens; coordinates are level-0 px."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DECIMALS = 2
"""A hundredth of a pixel is finer than any contour here, and digits make up most of the file."""


def detection(
    contour: NDArray[np.float32], classification: dict[str, Any], measurements: dict[str, float]
) -> dict[str, Any]:
    """A feature from an outline (vertices, 2), its first vertex not repeated.

    `classification` has a `name` and a `color` (red, green, blue); `measurements` is the map QuPath reads since 0.4.
    """
    # Adding zero turns −0.0, which prints a sign, into 0.0.
    ring = (np.round(contour.astype(np.float64), DECIMALS) + 0.0).tolist()
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
        "properties": {"objectType": "detection", "classification": classification, "measurements": measurements},
    }


def write_geojson(path: Path, features: Iterable[dict[str, Any]]) -> None:
    """One feature a line, each written as it comes: a slide's million nuclei are never one text in memory."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        separator = "\n"
        for feature in features:
            file.write(separator)
            file.write(json.dumps(feature, ensure_ascii=False, allow_nan=False, separators=(",", ":")))
            separator = ",\n"
        file.write("\n]}\n")
