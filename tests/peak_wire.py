"""A server in this process whose peaks are the pixels' colours, for tests of what the client makes of peaks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from histoserve.client.contract import Contract, ModelRecord
from histoserve.ensemble.peakmap.filter import peakmap_filter
from histoserve.ensemble.peakmap.pool import peakmap_pool
from histoserve.ensemble.peakmap.select import peakmap_select

TYPES, CLASSES = ("ascus", "lsil", "hsil"), ("negative", "low_grade", "high_grade")
K, THRESHOLD, TILE_PX = 3, 0.5, 32
NO_FLOOR = np.full(3, -1, np.float32)
Outputs = dict[str, np.ndarray]


def peak_contract() -> Contract:
    parameters = {"tile_px": str(TILE_PX), "mpp": "0.5", "k": str(K), "threshold": str(THRESHOLD)}
    parameters |= {"types": ", ".join(TYPES), "classes": ", ".join(CLASSES)}
    return Contract("peakmap", parameters, ("TILE", "REGION", "FLOOR"), 4, (ModelRecord("peakmap_tiles", "1", None),))


@dataclass
class PeakWire:
    """Fits `connect.Wire`; a tile's scores are its mean red, green and blue in 0-1."""

    floor: bool = True
    """False: the server is told none."""
    network: Callable[[int], int] = lambda request: 7
    floors: list[np.ndarray] = field(default_factory=list)

    def versions(self) -> list[str]:
        return ["peaks 1.0"]

    def contract(self, pipeline: str) -> Contract:
        return peak_contract()

    def record(self) -> list[dict[str, Any]]:
        return []

    def stop(self) -> None: ...

    def infer(self, model: str, arrays: Any) -> Outputs:
        if model == "peakmap_slide":
            return slide_answer(arrays)
        self.floors.append(arrays["FLOOR"])
        images = [cv2.imdecode(np.frombuffer(tile, np.uint8), cv2.IMREAD_COLOR) for tile in arrays["TILE"]]
        score = np.array([image.mean(axis=(0, 1))[::-1] / 255 for image in images], np.float32)
        network = self.network(len(self.floors))
        return tiles_answer(arrays["REGION"], score, arrays["FLOOR"] if self.floor else NO_FLOOR, network)


def boxes_of(score: np.ndarray) -> np.ndarray:
    """In each tile the same box, of the tile's scores."""
    place = np.broadcast_to(np.float32([0.25, 0.5, 0.25, 0.125]), (len(score), 4))
    return np.concatenate((place, score), axis=1)[:, None]


def tiles_answer(region: np.ndarray, score: np.ndarray, floor: np.ndarray, network: int = 7, k: int = K) -> Outputs:
    maps = score.astype(np.float16)[:, :, None, None].repeat(16, 3)
    networks = np.full((len(score), 1), network, np.int32)
    kept = peakmap_filter(
        score, maps, region, networks, networks, boxes_of(score), floor, identity=1, k=k, threshold=THRESHOLD
    )
    return {"TILE_REGION": kept.pop("REGION"), **kept, "NETWORK": networks}


def without_network(answer: Outputs) -> Outputs:
    """As a pipeline's rows get it: the network is checked before."""
    return {name: array for name, array in answer.items() if name != "NETWORK"}


def told(rows: Outputs) -> Outputs:
    return {**rows, "NETWORK": np.array([[7]], np.int32)}


def slide_answer(rows: Outputs) -> Outputs:
    columns = (rows[name] for name in ("TILE_REGION", "SCORE", "FEATURE_MAP", "NETWORK"))
    peaks = peakmap_select(*columns, k=K, threshold=THRESHOLD)
    embedding = peaks["PEAK_MAP"][:, :, 0, 0].astype(np.float32)
    pooled = peakmap_pool(embedding, embedding[:, :1] * 8, peaks["PEAK_INDEX"])
    grade = 2 if peaks["PEAK_SCORE"][2, 0] >= 0 else int((peaks["PEAK_SCORE"] >= 0).any())
    probability = np.where(np.arange(3) == grade, 0.8, 0.1).astype(np.float32)
    names = ("PEAK_REGION", "PEAK_SCORE")
    return {"PROBABILITY": probability, "ATTENTION": pooled["ATTENTION"], **{name: peaks[name] for name in names}}


def rows(*tiles: tuple[int, float], score_of_others: float = 0) -> Outputs:
    """Rows of tiles in a line, each (x, score of the first type)."""
    score = np.array([(score, score_of_others, 0) for _, score in tiles], np.float32).reshape(-1, 3)
    return {
        "TILE_REGION": np.array([(x, 0, 1, 1) for x, _ in tiles], np.float32).reshape(-1, 4),
        "SCORE": score,
        "FEATURE_MAP": score.astype(np.float16)[:, :, None, None],
        "BOX": boxes_of(score),
    }
