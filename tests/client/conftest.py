"""A server in this process that finds dark discs, and slides with discs on them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from histoserve.client.contract import Contract, ModelRecord

TILE_PX, MARGIN_PX, SEAM_PX, MAX_BATCH = 64, 16, 6, 4
DISC_RADIUS = 5


def disc_contract(**changes: str) -> Contract:
    """Of a pipeline whose nuclei are discs; `changes` are further or other parameters."""
    parameters = {"tile_px": TILE_PX, "margin_px": MARGIN_PX, "seam_px": SEAM_PX, "mpp": 0.25, "types": "dark, light"}
    return Contract(
        pipeline="nuclei",
        parameters={**{name: str(value) for name, value in parameters.items()}, **changes},
        inputs=("TILE", "REGION", "CORE"),
        max_batch=MAX_BATCH,
        models=(ModelRecord("nuclei_network", "3", "ab12"), ModelRecord("nuclei_tiles", "1", None)),
    )


@dataclass
class DiscWire:
    """Fits `connect.Wire`; `before` is called with the regions of a request and may raise."""

    before: Callable[[NDArray[Any]], None] = lambda regions: None
    network: Callable[[int], int] = lambda request: 7
    settings: Contract = field(default_factory=disc_contract)
    requests: list[int] = field(default_factory=list)
    """Tiles in each request."""
    stopped: bool = False

    def share(self, in_flight: Any) -> "DiscWire":
        return self

    def versions(self) -> list[str]:
        return ["discs 1.0"]

    def contract(self, pipeline: str) -> Contract:
        return self.settings

    def record(self) -> list[dict[str, Any]]:
        return [{"address": "here", "answered": len(self.requests)}]

    def stop(self) -> None:
        self.stopped = True

    def infer(self, model: str, arrays: Any) -> dict[str, NDArray[Any]]:
        if model == "nuclei_slide":
            return {"KEEP": inside(arrays["CENTROID"], arrays["CORE"], 0)}
        self.before(arrays["REGION"])
        self.requests.append(len(arrays["TILE"]))
        tiles = zip(arrays["TILE"], arrays["REGION"], arrays["CORE"], strict=True)
        rows = joined([discs(i, *tile) for i, tile in enumerate(tiles)])
        return {**rows, "NETWORK": np.full((len(arrays["TILE"]), 1), self.network(len(self.requests)), np.int32)}


def inside(centroid: NDArray[Any], core: NDArray[Any], seam: float) -> NDArray[np.bool_]:
    """Which centroids (M, 2) lie in their cores (M, 4) or (4,), grown by `seam`."""
    first, end = core[..., :2] - seam, core[..., :2] + core[..., 2:] + seam
    return np.asarray(((centroid >= first) & (centroid < end)).all(axis=-1))


def discs(index: int, image: bytes, region: NDArray[Any], core: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """The rows of one tile; dark discs are of type 1, lighter ones of type 2, each outlined by its box."""
    grey = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_GRAYSCALE)
    scale = region[2] / grey.shape[1]
    _, labels, found, centres = cv2.connectedComponentsWithStats((grey < 180).astype(np.uint8))
    centroid = ((centres[1:] + 0.5) * scale + region[:2]).astype(np.float32)
    mine = np.flatnonzero(inside(centroid, core, SEAM_PX * scale))
    box = (found[1:, :4] * scale + np.r_[region[:2], 0, 0]).astype(np.float32)[mine]
    darkest = np.array([grey[labels == 1 + i].min() for i in mine])
    corners = np.stack(
        [box[:, :2], box[:, :2] + box[:, 2:] * (1, 0), box[:, :2] + box[:, 2:], box[:, :2] + box[:, 2:] * (0, 1)], 1
    )
    return {
        "CENTROID": centroid[mine],
        "BOX": box,
        "TYPE": np.where(darkest < 100, 1, 2).astype(np.uint8),
        "TYPE_PROBABILITY": np.full(len(mine), 0.75, np.float32),
        "AREA": (found[1:, 4][mine] * scale**2).astype(np.float32),
        "SHAPE": np.full((len(mine), 72), 255, np.uint8),
        "CONTOUR": corners.reshape(-1, 2).astype(np.float32),
        "CONTOUR_END": np.full(len(mine), 4, np.int32),
        "TILE_INDEX": np.full(len(mine), index, np.int32),
    }


def joined(rows: list[dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """The rows of several tiles, contour ends made cumulative."""
    whole = {name: np.concatenate([each[name] for each in rows]) for name in rows[0]}
    whole["CONTOUR_END"] = whole["CONTOUR_END"].cumsum(dtype=np.int32)
    return whole


def disc_centres(width: int, height: int) -> list[tuple[int, int, int]]:
    """(x, y, grey): a jittered lattice, so that discs lie on every seam and none touch."""
    random = np.random.default_rng(7)
    lattice = [(x, y) for y in range(12, height - 12, 24) for x in range(12, width - 12, 24)]
    return [
        (x + int(dx), y + int(dy), 60 if dx > 0 else 140)
        for (x, y), (dx, dy) in zip(lattice, random.integers(-5, 6, (len(lattice), 2)), strict=True)
    ]


def disc_image(width: int, height: int) -> NDArray[np.uint8]:
    """RGB: discs on pink tissue."""
    image = np.full((height, width, 3), (235, 200, 220), np.uint8)
    for x, y, grey in disc_centres(width, height):
        cv2.circle(image, (x, y), DISC_RADIUS, (grey, grey, grey), cv2.FILLED)
    return image


@pytest.fixture
def slide_path(tmp_path: Path) -> Path:
    """300×220 px, 108 discs, no resolution of its own."""
    path = tmp_path / "discs.png"
    cv2.imwrite(str(path), disc_image(300, 220)[..., ::-1])
    return path


@pytest.fixture
def disc_wire() -> type[DiscWire]:
    """The class, to be made with what a test needs."""
    return DiscWire


@pytest.fixture
def contract() -> Callable[..., Contract]:
    """`disc_contract`."""
    return disc_contract
