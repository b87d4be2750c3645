"""Rectangles on the slide: x, y, width, height in level-0 pixels."""

import numpy as np


def checked_regions(name: str, regions: np.ndarray, count: int) -> np.ndarray:
    """`regions` (count, 4) as float64; ValueError unless all are finite, with a positive width and height."""
    if regions.shape != (count, 4):
        raise ValueError(f"{name} is {list(regions.shape)}, wanted [{count}, 4]: x, y, width, height for each TILE")
    bad = ~(np.isfinite(regions).all(1) & (regions[:, 2:] > 0).all(1))
    if bad.any():
        index = int(bad.argmax())
        raise ValueError(
            f"{name} {index} is {regions[index].tolist()}; wanted finite x, y, width, height in level-0 pixels,"
            " width and height above 0"
        )
    return regions.astype(np.float64)
