"""An extractor's logits → scores that are probabilities."""

import numpy as np
from scipy.optimize import minimize

from histoserve.export.peakmap.apply import logits_of
from histoserve.export.peakmap.classes import TYPES
from histoserve.export.peakmap.extractors.backbone import Extractor


def calibrate(network: Extractor, tiles: np.ndarray, labels: np.ndarray) -> None:
    """Sets scale and shift so that the score is a probability where a type is there as often as not.

    ValueError unless each type is in some of the tiles and not in others.
    """
    logits = logits_of(network, tiles)
    for t, name in enumerate(TYPES):
        known = labels[:, t] >= 0
        truth = labels[known, t] > 0
        if truth.all() or not truth.any():
            raise ValueError(f"no validation slide shows {name}, or none is without: draw more validation slides")
        # A higher confidence must stay the higher one, whatever a hardly trained network says.
        scale, shift = logistic_line(logits[known, t], truth)
        network.scale[t], network.shift[t] = max(scale, 0.01), shift


def logistic_line(logit: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Scale and shift of the logits (n,) that tell `truth` best, true and false weighing the same (Platt, 1999)."""
    weight = np.where(truth, 0.5 / truth.sum(), 0.5 / (~truth).sum())
    sign = np.where(truth, -1.0, 1.0)

    def error(line: np.ndarray) -> float:
        # The small term keeps the line finite where the logits separate the tiles.
        return float(weight @ np.logaddexp(0, sign * (line[0] * logit + line[1])) + 1e-3 * line[0] ** 2)

    scale, shift = minimize(error, np.array([1.0, 0.0])).x
    return float(scale), float(shift)
