"""A slide of small tiles that all show the same, and a server whose network is a constant: three nuclei in each tile.

    slide ─▶ the client as it is: tissue, grid, tiles read and encoded ─▶ Constant ─▶ rows ─▶ files

Nothing is left out but the network and gRPC, so what grows with the slide is the client's.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histoserve.client.contract import Contract, ModelRecord
from histoserve.phantom.pyramid import TILE, write_pyramid

PIPELINE = "nuclei"
TILE_PX, MARGIN_PX, MPP = 24, 4, 0.25
"""As small as they can be, so that a slide of a million of them is a file of moderate size."""
STEP_PX = TILE_PX - 2 * MARGIN_PX
BATCH = 16
NUCLEI = 3
"""In a tile."""
VERTICES = 25
PINK = (225, 150, 190)

PLACES = np.array([(4.0, 8.0), (8.0, 3.0), (12.0, 8.0)])
"""Of the nuclei, from the core's corner. One reaches over the border: a third are asked about, of a slide's a fifth."""
RADII = np.array([2.5, 3.2, 2.5])


class Constant:
    """Fits `connect.Wire`."""

    def __init__(self) -> None:
        turns = np.linspace(0, 2 * np.pi, VERTICES, endpoint=False)
        circle = np.stack((np.cos(turns), np.sin(turns)), axis=1)
        self._outlines = PLACES[:, None] + RADII[:, None, None] * circle
        self._boxes = np.hstack((PLACES - RADII[:, None], np.stack((RADII, RADII), axis=1) * 2))

    def versions(self) -> list[str]:
        """As Wire.versions."""
        return ["a constant"]

    def contract(self, pipeline: str) -> Contract:
        """As Wire.contract."""
        numbers = {"tile_px": TILE_PX, "margin_px": MARGIN_PX, "seam_px": 2, "mpp": MPP}
        parameters = {**{name: str(number) for name, number in numbers.items()}, "types": "round"}
        models = (ModelRecord(f"{PIPELINE}_tiles", "1", None),)
        return Contract(PIPELINE, parameters, ("TILE", "REGION", "WINDOW", "MPP", "CORE"), BATCH, models)

    def record(self) -> list[dict[str, Any]]:
        """As Wire.record."""
        return [{"address": "here"}]

    def stop(self) -> None:
        """Nothing waits here."""

    def infer(self, model: str, arrays: Any) -> dict[str, NDArray[Any]]:
        """Keeps all that `_slide` is asked about."""
        if model == f"{PIPELINE}_slide":
            return {"KEEP": np.ones(len(arrays["CENTROID"]), np.bool_)}
        corners = arrays["CORE"][:, None, :2].astype(np.float64)
        count = len(corners) * NUCLEI
        return {
            "CENTROID": (PLACES + corners).reshape(-1, 2).astype(np.float32),
            "BOX": (self._boxes + np.pad(corners, ((0, 0), (0, 0), (0, 2)))).reshape(-1, 4).astype(np.float32),
            "TYPE": np.ones(count, np.uint8),
            "TYPE_PROBABILITY": np.full(count, 0.75, np.float32),
            "AREA": np.tile(np.pi * RADII**2, len(corners)).astype(np.float32),
            "SHAPE": np.full((count, 72), 255, np.uint8),
            "CONTOUR": (self._outlines + corners[:, None]).reshape(-1, 2).astype(np.float32),
            "CONTOUR_END": (np.arange(1, count + 1) * VERTICES).astype(np.int32),
            "TILE_INDEX": np.arange(len(corners)).repeat(NUCLEI).astype(np.int32),
            "NETWORK": np.ones((len(corners), 1), np.int32),
        }


def write_slide(path: Path, tiles: int) -> int:
    """Tissue all over, in about so many tiles; returns their number."""
    across = round(tiles**0.5)
    side = across * STEP_PX + 2 * MARGIN_PX
    row = np.full((TILE, -(-side // TILE) * TILE, 3), PINK, np.uint8)
    rows: Iterator[NDArray[np.uint8]] = (row for _ in range(-(-side // TILE)))
    write_pyramid(path, (side, side), MPP, rows)
    return across**2
