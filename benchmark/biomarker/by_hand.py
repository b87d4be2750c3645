"""Tiles read by hand-made features and a support vector machine, the document's own simple way (CN114387243A [0106]).

colour histogram, grey-level co-occurrence, local binary patterns ─▶ standardised ─▶ support vectors ─▶ reading
"""

from collections.abc import Callable, Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.export.biomarker.labelled import LabelledTile
from histoserve.export.tissue.texture import FEATURES, texture

PENALTY, TUBE = 1.0, 0.05
"""Of a reading that is missed, and by how much it may be for nothing."""

SMALLER = 2
"""Pictures are halved: the same texture at a fourth of the cost."""

Read = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Rows of `features` (N, FEATURES) → readings, 0 to 1."""


def fitted(tiles: Sequence[LabelledTile]) -> Read:
    """On these tiles; where no two readings differ by more than is free, their mean is all that they teach."""
    readings = np.array([tile.reading for tile in tiles])
    if np.ptp(readings) <= 2 * TUBE:
        return lambda rows: np.full(len(rows), readings.mean())
    rows = features(tile.image() for tile in tiles)
    mean, deviation = rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-9)
    machine = cv2.ml.SVM.create()
    machine.setType(cv2.ml.SVM_EPS_SVR)
    machine.setKernel(cv2.ml.SVM_RBF)
    machine.setGamma(1 / FEATURES)
    machine.setC(PENALTY)
    machine.setP(TUBE)
    machine.setTermCriteria((cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 100_000, 1e-6))
    machine.train(
        ((rows - mean) / deviation).astype(np.float32), cv2.ml.ROW_SAMPLE, readings.astype(np.float32)[:, None]
    )

    def read(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        seen = ((rows - mean) / deviation).astype(np.float32)
        return np.asarray(machine.predict(seen)[1][:, 0].astype(np.float64).clip(0, 1))

    return read


def features(images: Iterable[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """RGB tiles (H, W, 3) → (N, FEATURES)."""
    small = (cv2.resize(each, None, fx=1 / SMALLER, fy=1 / SMALLER, interpolation=cv2.INTER_AREA) for each in images)
    return np.array([texture(np.asarray(each, np.uint8)) for each in small]).reshape(-1, FEATURES)
