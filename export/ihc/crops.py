"""What the network for stained cells is trained on: crops whose every nucleus is known, stained for a marker.

CoNSeP's tiles and the Data Science Bowl's ─▶ crop ─positives by lot─▶ restained ─╮
phantoms ─▶ crop ─────────────────────────────────────────────────────────────────┴─▶ picture, outlines, types
"""

from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.export.ihc.restain import drawn_staining, restained
from histoserve.export.nuclei.tiles import LabelledTile, random_crop

EPITHELIAL = 3
"""CoNSeP's type that stands for tumour cells."""
SOFT = 0.3
"""Share of the crops that are out of focus."""
SIZES = (0.9, 1.25)
"""Factors on the size of nuclei beside those of `random_crop`: breast carcinoma's are larger than colon's."""


@dataclass(frozen=True)
class StainedTile:
    """A stained tile with its nuclei."""

    image: NDArray[np.uint8]
    """RGB (H, W, 3)."""
    instances: NDArray[np.int32]
    """(H, W), 0 where no nucleus."""
    type_of: NDArray[np.uint8]
    """(instances + 1,): 0, then the type of each, 1 to 4."""
    tells_tumour: bool = True
    """Whether the types tell tumour cells from others; else they tell positive from negative alone."""

    PARTS: ClassVar = ("image", "instances", "type_of")


def types_of(tumour: NDArray[np.bool_], positive: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """1 negative and 2 positive tumour cells, 3 and 4 the same of others; (n,) → (n,)."""
    return (1 + positive + 2 * ~tumour).astype(np.uint8)


def stained(tile: LabelledTile, random: np.random.Generator) -> StainedTile:
    """The H&E tile as if stained for a marker; which cells are positive is drawn by lot."""
    tumour = tile.type_of == EPITHELIAL
    share = _share(random)
    positive = random.random(len(tumour)) < np.where(tumour, share, share if not tile.typed else 0.5 * _share(random))
    positive[0] = False
    types = types_of(tumour, positive)
    types[0] = 0
    image = restained(tile.image, tile.instances, positive, drawn_staining(random), random)
    return StainedTile(image, tile.instances, types, tile.typed)


def stained_crop(tile: LabelledTile, side: int, random: np.random.Generator) -> StainedTile:
    """Turned, scaled and stained, `side` px wide."""
    seen = round(side / random.uniform(*SIZES))
    image, labels = random_crop(tile, seen, random)
    image = cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR).astype(np.uint8)
    # OpenCV resizes no int32: float32 holds instance numbers exactly.
    labels = cv2.resize(labels.astype(np.float32), (side, side), interpolation=cv2.INTER_NEAREST).astype(np.int32)
    # Stained as if it were alone: numbers of a whole tile would be drawn for each crop.
    present, compact = np.unique(labels, return_inverse=True)
    numbers = compact.reshape(labels.shape).astype(np.int32) + (0 if present[0] == 0 else 1)
    types = np.concatenate(([0], tile.type_of[present[present > 0]])).astype(np.uint8)
    crop = stained(LabelledTile(tile.name, image, numbers, types), random)
    tells = tile.typed
    if random.random() < SOFT:
        blurred = cv2.GaussianBlur(crop.image, (0, 0), random.uniform(0.4, 1.2)).astype(np.uint8)
        return StainedTile(blurred, crop.instances, crop.type_of, tells)
    return StainedTile(crop.image, crop.instances, crop.type_of, tells)


def _share(random: np.random.Generator) -> float:
    """Of positive cells: none and all are common."""
    kind = random.random()
    return 0.0 if kind < 0.15 else 1.0 if kind < 0.25 else float(random.beta(0.7, 0.9))
