"""What a tile looks like in training: a crop, turned, flipped, hardly rescaled, in other colours ([0113, 0157])."""

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.export.dyes import vary_dyes

SCALE = (0.95, 1.05)
"""Of a crop: the size of nuclei is what the network reads, so "no large rescaling" ([0113])."""


def crop(image: NDArray[np.uint8], px: int, dyes: float, random: np.random.Generator) -> NDArray[np.uint8]:
    """RGB (H, W, 3) → (px, px, 3), all of it from within the image; `dyes` as `vary_dyes`.

    A tile's reading is its crops' too: they show a fourth of it, so that single ones may well have another.
    """
    angle, scale = random.uniform(0, 2 * np.pi), random.uniform(*SCALE)
    axes = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / scale
    if random.random() < 0.5:
        axes[:, 0] *= -1
    # From the middle of the crop to its farthest pixel, along the image's axes.
    reach = np.abs(axes).sum(axis=1) * (px - 1) / 2
    most = np.array(image.shape[1::-1]) - 1 - reach
    if (most < reach).any():
        raise ValueError(f"a turned crop of {px} px does not fit into {image.shape[1]}×{image.shape[0]} px")
    first = random.uniform(reach, most) - axes @ np.full(2, (px - 1) / 2)
    turned = cv2.warpAffine(
        image, np.column_stack((axes, first)), (px, px), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    ).astype(np.uint8)
    return vary_dyes(turned, dyes, random) if dyes else turned
