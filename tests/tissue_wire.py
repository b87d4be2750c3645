"""A server in this process for which a tile's colour is its class, for tests of what the client makes of tissue."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from histoserve.client.contract import Contract, ModelRecord
from histoserve.ensemble.tissue.slide import tissue_slide

CLASSES = ("normal", "solid", "cribriform")
K, THRESHOLD, TILE_PX, MPP = 3, 0.5, 32, 0.5
NORMAL, SOLID, CRIBRIFORM, GLASS = (190, 50, 10), (20, 200, 30), (40, 30, 180), (244, 244, 244)
"""RGB; each class's share is its colour's share of the sum."""
COLOURS = {"n": NORMAL, "s": SOLID, "c": CRIBRIFORM, ".": GLASS}
Outputs = dict[str, np.ndarray]


def tissue_contract(**changes: str) -> Contract:
    parameters = {"tile_px": str(TILE_PX), "mpp": str(MPP), "k": str(K), "threshold": str(THRESHOLD), "border": "drop"}
    models = (ModelRecord("tissue_tiles", "1", None),)
    taken = ("TILE", "REGION", "WINDOW", "MPP")
    return Contract("tissue", {**parameters, "classes": ",".join(CLASSES), **changes}, taken, 4, models)


def colours_of(picture: str) -> np.ndarray:
    """A colour for each letter (rows, columns, 3); rows are separated by spaces."""
    return np.array([[COLOURS[letter] for letter in row] for row in picture.split()], np.uint8)


def shares_of(colours: np.ndarray) -> np.ndarray:
    """(…, 3) → of each class."""
    colours = colours.astype(np.float32)
    return np.asarray(colours / colours.sum(axis=-1, keepdims=True))


@dataclass
class TissueWire:
    """Fits `connect.Wire`."""

    network: Callable[[int], int] = lambda request: 7
    settings: Contract = field(default_factory=tissue_contract)
    change: Callable[[str, Outputs], Outputs] = lambda model, answer: answer
    """Of what it answers."""
    requests: list[int] = field(default_factory=list)
    """Tiles in each."""

    def versions(self) -> list[str]:
        return ["colours 1.0"]

    def contract(self, pipeline: str) -> Contract:
        return self.settings

    def record(self) -> list[dict[str, Any]]:
        return []

    def stop(self) -> None: ...

    def infer(self, model: str, arrays: Any) -> Outputs:
        if model == "tissue_slide":
            given = (arrays[name] for name in ("PROBABILITY", "TILE_REGION", "NETWORK"))
            return self.change(model, tissue_slide(*given, k=K, threshold=THRESHOLD))
        self.requests.append(len(arrays["TILE"]))
        images = [cv2.imdecode(np.frombuffer(tile, np.uint8), cv2.IMREAD_COLOR) for tile in arrays["TILE"]]
        mean = np.array([image.mean(axis=(0, 1))[::-1] for image in images])
        network = np.full((len(images), 1), self.network(len(self.requests)), np.int32)
        rows = {"PROBABILITY": shares_of(mean), "TILE_REGION": arrays["WINDOW"], "NETWORK": network}
        return self.change(model, rows)
