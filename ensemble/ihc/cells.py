"""What the types of stained cells mean: positive or negative, of the tumour or not."""

import numpy as np
from numpy.typing import NDArray

TYPES = 4
"""1 negative tumour cell, 2 positive tumour cell, 3 any other cell, negative, 4 any other, positive."""


def is_tumour(type: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Of each type; shapes are kept."""
    return np.asarray(type <= 2)


def is_positive(type: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Of each type; shapes are kept."""
    return np.asarray(type % 2 == 0)


def check_types(type: NDArray[np.uint8]) -> None:
    """ValueError for a type that means nothing."""
    wrong = (type < 1) | (type > TYPES)
    if wrong.any():
        index = int(wrong.argmax())
        raise ValueError(
            f"TYPE {index} is {type[index]}, wanted 1 to {TYPES}: negative and positive tumour cells, then negative and"
            " positive others"
        )
