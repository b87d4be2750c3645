"""A server in this process for which a tile's colours are its readings, for tests of what the client makes of them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from histoserve.client.contract import Contract, ModelRecord
from histoserve.ensemble.biomarker.slide import biomarker_slide

MARKERS = ("Ki67", "ER", "PR", "HER2")
K, TILE_PX, MPP = 3, 32, 0.5
Outputs = dict[str, np.ndarray]


def biomarker_contract(**changes: str) -> Contract:
    parameters = {"tile_px": str(TILE_PX), "mpp": str(MPP), "border": "drop", "stain": "H&E"}
    parameters |= {"k": str(K), "mean_of": "highest", "least_tumour": "0.5"}
    parameters |= {"markers": ",".join(MARKERS), **changes}
    models = (ModelRecord("biomarker_tiles", "1", None),)
    return Contract("biomarker", parameters, ("TILE", "REGION", "WINDOW", "MPP"), 4, models)


@dataclass
class BiomarkerWire:
    """Fits `connect.Wire`; readings are mean red, green, blue, and how dark a tile is, of as many as there are.

    What is green shows no tumour.
    """

    settings: Contract = field(default_factory=biomarker_contract)
    change: Callable[[str, Outputs], Outputs] = lambda model, answer: answer
    """Of what it answers."""

    def versions(self) -> list[str]:
        return ["colours 1.0"]

    def contract(self, pipeline: str) -> Contract:
        return self.settings

    def record(self) -> list[dict[str, Any]]:
        return []

    def stop(self) -> None: ...

    def infer(self, model: str, arrays: Any) -> Outputs:
        if model == "biomarker_slide":
            given = [arrays[name] for name in ("READING", "TUMOUR", "TILE_REGION", "NETWORK")]
            said = self.settings.parameters
            rule: Any = {"k": int(said["k"]), "mean_of": said["mean_of"], "least_tumour": float(said["least_tumour"])}
            return self.change(model, biomarker_slide(*given, **rule))
        images = [cv2.imdecode(np.frombuffer(tile, np.uint8), cv2.IMREAD_COLOR) for tile in arrays["TILE"]]
        colours = np.array([image.mean(axis=(0, 1))[::-1] / 255 for image in images])
        markers = len(self.settings.names("markers"))
        all_four = np.column_stack([colours, 1 - colours.mean(axis=1)]).astype(np.float32)
        network = np.full((len(images), 1), 7, np.int32)
        tumour = (colours[:, 1:2] < 0.75).astype(np.float32)
        rows = {"READING": all_four[:, :markers], "TUMOUR": tumour, "TILE_REGION": arrays["WINDOW"], "NETWORK": network}
        return self.change(model, rows)
