"""Tiles with a reading, from a folder that `histoserve label` made; the one file here that knows its format."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.errors import LabelsError
from histoserve.client.labels.label import Label
from histoserve.client.labels.read import read_labels
from histoserve.client.labels.training import accepted, split, without_tumour
from histoserve.export.biomarker.network import MPP, TILE_PX

MPP_TOLERANCE = 0.02
"""As of served windows."""


@dataclass(frozen=True)
class LabelledTile:
    """A tile of an H&E slide."""

    path: Path
    """A PNG."""
    reading: float
    """0-1: of the same tissue, stained for the marker; NaN where no tumour was found in it."""

    def image(self) -> NDArray[np.uint8]:
        """RGB (TILE_PX, TILE_PX, 3), read anew: a training set need not fit into memory. ValueError naming the file."""
        image = cv2.imread(str(self.path), cv2.IMREAD_COLOR)
        if image is None or image.shape != (TILE_PX, TILE_PX, 3):
            came = "none can be read" if image is None else f"it has {image.shape[1]}×{image.shape[0]} px"
            raise ValueError(
                f"{self.path}: a picture of {TILE_PX}×{TILE_PX} px is wanted, {came}: label the pair again"
            )
        return np.ascontiguousarray(image[..., ::-1]).astype(np.uint8)


@dataclass(frozen=True)
class Parts:
    """No slide has tiles in both."""

    seen: Sequence[LabelledTile]
    """What trains."""
    held: Sequence[LabelledTile]
    """What says how good that was."""


def parts_of(folder: Path, marker: str, held: float, seed: int) -> Parts:
    """What people accepted of the marker, and tiles without tumour, which have no reading.

    `held`: the part of them that is kept apart, whole slides by chance of `seed`.

    ValueError, in a sentence, for a folder that is none, or of which nothing can be learned.
    """
    try:
        every = read_labels(folder)
        seen, apart = split([*accepted(every, marker), *without_tumour(every, marker)], held, seed)
    except LabelsError as error:
        raise ValueError(str(error)) from None
    return Parts([_tile(label) for label in seen], [_tile(label) for label in apart])


def _tile(label: Label) -> LabelledTile:
    pair = label.pair
    if pair.tile_px != TILE_PX or not abs(pair.mpp / MPP - 1) <= MPP_TOLERANCE:
        raise ValueError(
            f"pair {pair.number} of the training set has tiles of {pair.tile_px} px at {pair.mpp:g} µm/px, the network"
            f" reads {TILE_PX} px at {MPP:g}: label the pair again"
        )
    reading = label.tile.reading
    return LabelledTile(label.he_picture, math.nan if reading is None else reading)
