"""Rectangles on the slide: x, y, width, height in level-0 pixels."""

import numpy as np

FARTHEST = 2.0**30
"""No slide reaches so far (270 m at 0.25 µm/px), and sums and products of such numbers stay finite in float32."""


def checked_regions(name: str, regions: np.ndarray, count: int) -> np.ndarray:
    """`regions` (count, 4) as float64; ValueError unless all lie within `FARTHEST`, width and height above 0."""
    if regions.shape != (count, 4):
        raise ValueError(f"{name} is {list(regions.shape)}, wanted [{count}, 4]: x, y, width, height of each")
    # Written so that NaN is bad.
    bad = ~((np.abs(regions) <= FARTHEST).all(1) & (regions[:, 2:] > 0).all(1))
    if bad.any():
        index = int(bad.argmax())
        raise ValueError(
            f"{name} {index} is {regions[index].tolist()}; wanted finite x, y, width, height in level-0 pixels, at most"
            f" {FARTHEST:.0f}, width and height above 0"
        )
    return regions.astype(np.float64)
