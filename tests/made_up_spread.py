"""Results and truths of spread without a server and without drawing."""

import json
from pathlib import Path

import cv2
import numpy as np

from histoserve.client.results.source import source_of

SIDE = 224
CELLS = 10
"""In each region."""


def write_truth(path: Path, lesion: list[list[int]], **header: object) -> None:
    """`lesion`: (rows, columns), so many of the ten cells of each region are lesion cells."""
    features = [
        {"properties": {"centroid": [SIDE * x + 5, SIDE * y + 5], "name": "lesion" if n < count else "stroma"}}
        for y, row in enumerate(lesion)
        for x, count in enumerate(row)
        for n in range(CELLS)
    ]
    known: dict[str, object] = {
        "kind": "spread",
        "pattern": "directed",
        "direction": [1.0, 0.0],
        "stains": "training",
        "mpp": 1.0,
    }
    known["size"] = [SIDE * len(lesion[0]), SIDE * len(lesion)]
    path.write_text(json.dumps({"phantom": known | header, "features": features}))


def write_slide(path: Path, lesion: list[list[int]]) -> None:
    """A picture that is the bluer, the more of a region's cells are lesion cells."""
    count = np.kron(np.array(lesion), np.ones((SIDE, SIDE)))
    red = (250 - 20 * count).astype(np.uint8)
    cv2.imwrite(str(path), np.dstack([np.full_like(red, 250), red, red]))


def write_result(
    out: Path, slide: Path, values: list[list[float | None]], *, column: int = 0, **result: object
) -> None:
    """As `analyze` leaves it in `out`, of a raster that begins in this column."""
    folder = out / slide.stem / "spread"
    folder.mkdir(parents=True)
    grid = {"kind": "grid", "title": "value", "values": values, "first": [column * SIDE, 0, SIDE, SIDE]}
    (folder / "layers.json").write_text(json.dumps({"layers": [grid] if values else []}))
    extent = {"mm2_lesion": 0.0, "mm2_reached": 0.0, "farthest_um": 0.0}
    content = {
        "slide": {"name": slide.name, "level_read": 0, **(source_of(slide).described() if slide.exists() else {})},
        "pipeline": {"parameters": {"lesion": "0.5", "reached": "0.1", "least_one_sided": "0.45"}},
        "result": {"main_direction": None, "extent": extent, **result},
    }
    (folder / "result.json").write_text(json.dumps(content))
