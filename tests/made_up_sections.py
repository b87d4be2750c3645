"""Sections of tissue that never was, in two stains, moved as one likes: small, and drawn in a moment."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.registration.affine import IDENTITY, Matrix
from histoserve.client.registration.through import warped

MPP = 8.0
"""µm per px."""

SIZE = (440, 340)
"""(width, height): 3.5 by 2.7 mm."""

HAEMATOXYLIN, EOSIN, DAB = ((0.65, 0.70, 0.29), (0.07, 0.99, 0.11), (0.27, 0.57, 0.78))


def he(tissue: int, whole: bool = False) -> NDArray[np.uint8]:
    """RGB (h, w, 3); `tissue` is a seed. `whole`: it fills the picture."""
    there, nests, fine = _tissue(tissue, whole)
    return _light(there, (HAEMATOXYLIN, 0.1 + 0.5 * nests * fine), (EOSIN, 0.25 + 0.15 * fine))


def ihc(tissue: int, matrix: Matrix = IDENTITY, whole: bool = False) -> NDArray[np.uint8]:
    """The same tissue with half of its nests brown; `matrix` leads from px of the H&E to px of this."""
    there, nests, fine = _tissue(tissue, whole)
    brown = nests * (_noise(tissue + 1000, 40) > 0)
    picture = _light(there, (HAEMATOXYLIN, 0.06 + 0.3 * nests * fine), (DAB, 0.02 + 0.5 * brown * fine))
    return warped(picture, _back(matrix), SIZE)


def save(picture: NDArray[np.uint8], path: Path) -> Path:
    """As PNG, which states no µm/px."""
    cv2.imwrite(str(path), picture[..., ::-1])
    return path


def _tissue(seed: int, whole: bool) -> tuple[NDArray, NDArray, NDArray]:
    """(h, w) each: where it is, its nests of nuclei, and the fine grain of both, 0 to 1."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    angle, radius = np.arctan2(y - 170, x - 220), np.hypot((y - 170) / 130, (x - 220) / 180)
    border = 0.85 + sum(random.uniform(-0.12, 0.12) * np.cos(k * angle + random.uniform(0, 6.3)) for k in range(1, 6))
    holes = _noise(seed + 1, 9) < -1.6
    there = (np.ones_like(radius, bool) if whole else radius < border) & ~holes
    return there, _noise(seed + 2, 14).clip(0, 1.5) / 1.5, (_noise(seed + 3, 1.5).clip(-2, 2) + 2) / 4


def _noise(seed: int, sigma: float) -> NDArray[np.float64]:
    """(h, w), of mean 0 and deviation 1."""
    smooth = cv2.GaussianBlur(np.random.default_rng(seed).standard_normal(SIZE[::-1]), (0, 0), sigma)
    return (smooth - smooth.mean()) / smooth.std()


def _light(there: NDArray, *dyes: tuple[tuple[float, ...], NDArray]) -> NDArray[np.uint8]:
    density = sum(np.array(dye) * (amount * there)[..., None] for dye, amount in dyes)
    grain = np.random.default_rng(0).standard_normal((*SIZE[::-1], 3))
    return (243 * 10.0 ** -np.asarray(density) + grain).round().clip(0, 255).astype(np.uint8)


def _back(matrix: Matrix) -> Matrix:
    turn = np.linalg.inv(matrix[:, :2])
    return np.column_stack([turn, -turn @ matrix[:, 2]])
