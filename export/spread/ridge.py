"""The plainest ways from a picture to a share: a straight line through numbers that no network was trained for."""

import numpy as np
from numpy.typing import NDArray

BINS = 16
"""Of each of red, green and blue."""
STRENGTH = 100.0
"""Of the penalty, with which a histogram predicts CoNSeP's patches best: chosen in this baseline's favour."""


def histogram(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """RGB (N, H, W, 3) → (N, 48): of each channel, the part of the pixels in each bin."""
    counts = [
        [np.bincount(image[..., c].ravel() // (256 // BINS), minlength=BINS) for c in range(3)] for image in images
    ]
    return np.array(counts).reshape(len(images), -1) / images[0, ..., 0].size


def ridge(
    seen: NDArray[np.float64], wanted: NDArray[np.float64], asked: NDArray[np.float64], strength: float = STRENGTH
) -> NDArray[np.float64]:
    """Ridge regression on features of mean 0 and deviation 1, (N, features) and (N,) → what it says of `asked`, 0-1."""
    mean, deviation = seen.mean(0), seen.std(0) + 1e-9
    x, level = (seen - mean) / deviation, wanted.mean()
    # As many unknowns as there are samples or features, whichever are fewer.
    if x.shape[1] <= x.shape[0]:
        slope = np.linalg.solve(x.T @ x + strength * np.eye(x.shape[1]), x.T @ (wanted - level))
    else:
        slope = x.T @ np.linalg.solve(x @ x.T + strength * np.eye(x.shape[0]), wanted - level)
    return np.clip((asked - mean) / deviation @ slope + level, 0, 1)
