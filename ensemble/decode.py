"""Encoded tiles → the pixels that a network takes."""

import io
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from histoserve.ensemble.identity import column
from histoserve.ensemble.regions import checked_regions

# `max_pixels` is checked before anything is decoded; Pillow, which reads the headers, has a limit of its own.
Image.MAX_IMAGE_PIXELS = None

POOL = ThreadPoolExecutor(os.cpu_count(), "decode")
"""OpenCV decodes and resizes without Python's lock."""
cv2.setNumThreads(1)

REDUCED = {2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4, 8: cv2.IMREAD_REDUCED_COLOR_8}
"""JPEG decoding at a fraction of the size, by using fewer DCT coefficients."""
AS_STORED = cv2.IMREAD_IGNORE_ORIENTATION


def decode(
    tile: np.ndarray, region: np.ndarray, *, identity: int, tile_px: int, max_pixels: int
) -> dict[str, np.ndarray]:
    """Stage `<pipeline>_decode`: any images → RGB of the network's size.

    `tile` bytes (N,), `region` float32 (N, 4) → `IMAGE` uint8 (N, tile_px, tile_px, 3), and `identity` for
    each as `NETWORK`. Shrinking is antialiased.
    Raises ValueError for a tile that is no whole image or has more than `max_pixels`, and for a bad region.
    """
    checked_regions("REGION", region, len(tile))
    images = POOL.map(partial(image_from_bytes, side=tile_px, max_pixels=max_pixels), range(len(tile)), tile)
    image = np.stack(list(images)) if len(tile) else np.empty((0, tile_px, tile_px, 3), np.uint8)
    return {"IMAGE": image, "NETWORK": column(identity, len(tile))}


def image_from_bytes(index: int, data: bytes, *, side: int, max_pixels: int) -> np.ndarray:
    """One encoded image → RGB uint8 (side, side, 3); `index` is its place in the request, for messages."""
    width, height, kind = header(index, data)
    if width * height > max_pixels:
        raise ValueError(
            f"TILE {index} is {width} x {height} = {width * height} pixels by its header; at most {max_pixels} are"
            " decoded: send smaller tiles"
        )
    fraction = max((f for f in REDUCED if kind == "JPEG" and min(width, height) >= f * side), default=1)
    flag = REDUCED.get(fraction, cv2.IMREAD_COLOR) | AS_STORED
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error:
        image = None
    if image is None:
        raise ValueError(f"TILE {index}: {kind} of {len(data)} bytes cannot be decoded: truncated or corrupt")
    if image.shape[:2] != (side, side):
        shrinks = min(image.shape[:2]) > side
        image = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def header(index: int, data: bytes) -> tuple[int, int, str]:
    """Width, height and format, from the first bytes."""
    if not data:
        raise ValueError(f"TILE {index} is empty; wanted an encoded image (JPEG, PNG, WebP, TIFF, PPM, …)")
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.width, image.height, image.format or "image"
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise ValueError(
            f"TILE {index}: {len(data)} bytes starting with {data[:4]!r} are no image that is known, or"
            " end within its header; wanted JPEG, PNG, WebP, TIFF, PPM, …"
        ) from error
