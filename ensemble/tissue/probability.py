"""Probabilities of tiles, a column a class, the first one normal."""

import numpy as np
from numpy.typing import NDArray

SUM_TOLERANCE = 1e-3
"""How far a tile's probabilities may be from 1 in all; in half precision they are some 1e-4."""


def check_probability(probability: NDArray[np.float32], count: int) -> None:
    """ValueError unless `probability` is (count, classes), each row shares that add up to 1."""
    if probability.ndim != 2 or len(probability) != count or probability.shape[1] < 2:
        raise ValueError(f"PROBABILITY is {list(probability.shape)}, wanted [{count}, classes], two classes or more")
    # Written so that NaN is bad.
    share = ((probability >= 0) & (probability <= 1)).all(axis=1)
    bad = ~(share & (np.abs(probability.sum(axis=1, dtype=np.float64) - 1) <= SUM_TOLERANCE))
    if bad.any():
        index = int(bad.argmax())
        raise ValueError(f"PROBABILITY {index} is {probability[index].tolist()}; wanted shares that add up to 1")
