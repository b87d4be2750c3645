"""What a region looks like in training: turned, mirrored, cropped, partly covered (CN113838558A [0061])."""

import numpy as np
from numpy.typing import NDArray

AREA = (0.6, 1.0)
"""Of a crop, in parts of the region's."""
COVERED = 0.5
"""Part of the pictures on which a patch is covered."""
PATCH = (0.1, 0.35)
"""Sides of a patch, in parts of the picture's."""


def cover_patch(image: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """The same with a rectangle in the picture's mean colour.

    Its label stays that of all its cells: what is hidden is to be told from what is seen, as the document has it.
    """
    height, width = (
        max(1, round(side * part)) for side, part in zip(image.shape[:2], random.uniform(*PATCH, 2), strict=True)
    )
    y, x = random.integers(0, (image.shape[0] - height + 1, image.shape[1] - width + 1))
    covered = image.copy()
    covered[y : y + height, x : x + width] = image.mean((0, 1)).round()
    return covered
