"""Encoded tiles → the pixels that a network takes."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Annotated

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.ensemble.cpus import cpus
from histoserve.ensemble.identity import column
from histoserve.ensemble.parameters import Range
from histoserve.ensemble.picture import format_of
from histoserve.ensemble.regions import checked_regions

POOL = ThreadPoolExecutor(cpus(), "decode")
"""Decoders and OpenCV's resizing run without Python's lock."""
cv2.setNumThreads(1)

FRACTIONS = (8, 4, 2)
"""A JPEG can be decoded at these parts of its size, for less work."""
TOLERANCE = 0.01
"""Of a length, or one of the pixels of the picture: clients and scanners round to whole pixels of a level."""


def decode(
    tile: NDArray[np.object_],
    region: NDArray[np.float32],
    *,
    identity: int,
    tile_px: Annotated[int, Range(8, 4096)],
    max_tiles: Annotated[int, Range(1, 4096)],
    max_pixels: Annotated[int, Range(1, 2**28)],
) -> dict[str, NDArray[np.generic]]:
    """Stage `<pipeline>_decode`: JPEG, PNG or PPM → RGB of the network's size.

    `tile` bytes (N,), `region` float32 (N, 4) → `IMAGE` uint8 (N, tile_px, tile_px, 3), and
    `identity` for each as `NETWORK`. Shrinking is antialiased.
    Raises ValueError for more than `max_tiles`, for a tile that is no whole picture, has more than `max_pixels` or
    would be stretched, and for a bad region.
    """
    count = len(tile)
    if tile.ndim != 1 or count > max_tiles:
        raise ValueError(
            f"TILE is {list(tile.shape)}; wanted [N], at most {max_tiles} in a request: send smaller batches"
        )
    regions = checked_regions("REGION", region, count)
    image = np.empty((count, tile_px, tile_px, 3), np.uint8)
    # The list waits for all; the first failure is raised.
    list(POOL.map(partial(decode_into, max_pixels=max_pixels), image, range(count), tile, regions))
    return {"IMAGE": image, "NETWORK": column(identity, count)}


def decode_into(
    image: NDArray[np.uint8], index: int, data: bytes, region: NDArray[np.float64], *, max_pixels: int
) -> None:
    """One encoded picture → `image`, RGB (side, side, 3); `index` is its place in the request, for messages."""
    try:
        form = format_of(data)
        width, height = form.header(data)
        if width * height > max_pixels:
            raise ValueError(
                f"is {width} x {height} = {width * height} pixels by its header; at most {max_pixels} are decoded:"
                " send smaller tiles"
            )
        check_square(width, height, region)
        n = fraction(form.name, width, height, len(image))
        size = -(-width // n), -(-height // n)
        pixels = form.pixels(data, *size)
        if pixels.shape != (*size[::-1], 3):
            raise ValueError(f"is a {form.name} of {size} pixels by its header, {list(pixels.shape)} decoded: corrupt")
    except ValueError as error:
        raise ValueError(f"TILE {index} {error}") from error
    if pixels.shape[:2] == image.shape[:2]:
        image[:] = pixels
    else:
        shrinks = min(pixels.shape[:2]) > len(image)
        cv2.resize(pixels, image.shape[:2], dst=image, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def fraction(form: str, width: int, height: int, side: int) -> int:
    """The n of the smallest 1 / n of a picture that still has `side` pixels."""
    return next((n for n in FRACTIONS if form == "JPEG" and min(width, height) >= n * side), 1)


def check_square(width: int, height: int, region: NDArray[np.float64]) -> None:
    """The network takes a square: neither pixels nor the part of the slide that they show may be stretched into one."""
    l0_width, l0_height = region[2:]
    shown = f"is {width} x {height} pixels and its REGION {l0_width:g} x {l0_height:g}"
    if abs(width - height * (l0_width / l0_height)) > max(1, TOLERANCE * width):
        raise ValueError(f"{shown}, another shape: REGION must be what TILE shows, the pixels would be stretched")
    if abs(l0_width - l0_height) > max(l0_width / width, TOLERANCE * l0_width):
        raise ValueError(f"{shown}; the network takes a square: send a square part of the slide, white beyond its end")
