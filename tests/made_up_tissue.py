"""Results and training slides without a server and without drawing."""

import json
from pathlib import Path

import cv2
import numpy as np

from histoserve.client.results.source import source_of
from histoserve.export.tissue.classes import CLASSES
from histoserve.export.tissue.slides import SIDE, TILES

TILE = SIDE
"""Side of a tile of the results, level-0 px."""


def write_truth(path: Path, cells: dict[tuple[int, int], tuple[int, int]], **header: object) -> None:
    """`cells`: column, row of a tile → its normal and its lesion cells."""
    features = [
        {"properties": {"centroid": [TILE * x + 5, TILE * y + 5], "name": name}}
        for (x, y), counts in cells.items()
        for name, count in zip(("stroma", "lesion"), counts, strict=True)
        for _ in range(count)
    ]
    phantom = {"kind": "lesion", "class": "solid", "share_of_tissue": 0.2, "stains": "training", **header}
    path.write_text(json.dumps({"phantom": phantom, "features": features}))


def write_result(out: Path, slide: Path, found: str | None, values: list[list[float | None]]) -> None:
    """As `analyze` leaves it in `out` of a slide, which need not exist."""
    folder = out / slide.stem / "tissue"
    folder.mkdir(parents=True)
    grid = {"kind": "grid", "values": values, "first": [0, 0, TILE, TILE]}
    (folder / "layers.json").write_text(json.dumps({"layers": [grid] if values else []}))
    content = {
        "slide": {"name": slide.name, "level_read": 0, **(source_of(slide).described() if slide.exists() else {})},
        "pipeline": {"parameters": {"k": "2", "threshold": "0.5"}},
        "result": {"class": found, "probability": {name: float(name == found) for name in CLASSES} if found else None},
    }
    (folder / "result.json").write_text(json.dumps(content))


def write_training(folder: Path) -> None:
    """Three slides whose classes differ by texture, a cell in each of four tiles."""
    cells = SIDE * np.array([(0.5, 0.5), (1.5, 0.5), (0.5, 3.5), (4.5, 5.5)], np.float32)
    for number, name in enumerate(CLASSES):
        jpeg = cv2.imencode(".jpg", textured(number, TILES * SIDE))[1]
        is_lesion = np.full(len(cells), number > 0)
        np.savez(folder / f"{number}.npz", jpeg=jpeg, cells=cells, is_lesion=is_lesion, slide_class=name)


def textured(number: int, side: int, seed: int = 0) -> np.ndarray:
    """Grey RGB (side, side, 3) of a class: noise, the coarser the later the class."""
    grain = 4 ** (number + 1)
    noise = np.random.default_rng(seed).integers(0, 256, (side // grain,) * 2, np.uint8)
    return cv2.resize(noise, (side, side), interpolation=cv2.INTER_NEAREST)[..., None].repeat(3, 2)
