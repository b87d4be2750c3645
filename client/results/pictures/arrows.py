"""Arrows on a picture."""

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.results.layers import Arrows
from histoserve.client.results.pictures.canvas import FRACTION_BITS, Canvas, fixed
from histoserve.client.results.pictures.lettering import contrast

Vectors = NDArray[np.float64]
"""(n, 2) px."""

LEAST_PX = 14.0
"""A shorter one has no direction to be seen; it is lengthened about its middle."""

HEAD_PX = {False: 5.0, True: 18.0}
"""Of a light and of a heavy arrow."""

LINE_PX = {False: 1, True: 4}


def draw_arrows(canvas: Canvas, arrows: Arrows) -> None:
    """With a rim, so that they show on anything; those without a direction (NaN, or no length) are left out.

    Where most are too short to be told apart, one stands for all in a square: their mean.
    """
    tails, heads = canvas.placed(arrows.l0_tails), canvas.placed(arrows.l0_heads)
    middle, along = (tails + heads) / 2, heads - tails
    if len(middle) > 1 and np.nanmedian(np.hypot(*along.T)) < LEAST_PX / 2:
        middle, along = means(middle, along)
    length = np.hypot(*along.T)
    there = np.isfinite(length) & (length > 0)
    middle, along, length = middle[there], along[there], length[there]
    shown = np.maximum(length, LEAST_PX)
    along = along * (shown / length)[:, None]
    for width, colour in (
        (LINE_PX[arrows.heavy] + 2, contrast(arrows.colour)),
        (LINE_PX[arrows.heavy], arrows.colour),
    ):
        for start, end, px in zip(fixed(middle - along / 2), fixed(middle + along / 2), shown, strict=True):
            # Its head is a share of its length.
            tip = min(0.5, HEAD_PX[arrows.heavy] / px)
            cv2.arrowedLine(canvas.image, start.tolist(), end.tolist(), colour, width, cv2.LINE_AA, FRACTION_BITS, tip)


def means(middle: Vectors, along: Vectors) -> tuple[Vectors, Vectors]:
    """Of all in each square of LEAST_PX: where they lie, and where they go together."""
    there = np.isfinite(along).all(axis=1)
    middle, along = middle[there], along[there]
    _, square, count = np.unique(np.floor(middle / LEAST_PX), axis=0, return_inverse=True, return_counts=True)
    sums = np.zeros((2, len(count), 2))
    np.add.at(sums, (0, square.ravel()), middle)
    np.add.at(sums, (1, square.ravel()), along)
    return sums[0] / count[:, None], sums[1] / count[:, None]
