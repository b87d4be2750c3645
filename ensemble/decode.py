"""Encoded pictures → the windows that a network looks at.

    TILE, REGION ──┬─ shows a WINDOW ─▶ decode ─────────────────────────────────┬─▶ shrink or enlarge ─▶ IMAGE
                   ╰─ parts of some ──▶ decode, once each ─▶ put side by side ──╯

The part that no picture covers is white, as OpenSlide gives it beyond a slide's end.
"""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.ensemble.cpus import cpus
from histoserve.ensemble.identity import column
from histoserve.ensemble.parameters import Range
from histoserve.ensemble.picture import Format, format_of
from histoserve.ensemble.regions import checked_regions
from histoserve.ensemble.stitch import WHITE, stitched
from histoserve.ensemble.windows import (
    Mosaic,
    Pictures,
    Piece,
    check_physical_size,
    check_shape,
    check_square,
    mosaic,
    pictures_near,
    whole_pictures,
)

RGB = NDArray[np.uint8]
"""(H, W, 3)."""

POOL = ThreadPoolExecutor(cpus(), "decode")
"""Decoders and OpenCV's resizing run without Python's lock."""
cv2.setNumThreads(1)


def decode(
    tile: NDArray[np.object_],
    region: NDArray[np.float32],
    window: NDArray[np.float32],
    slide_mpp: NDArray[np.float32],
    *,
    identity: int,
    tile_px: Annotated[int, Range(8, 4096)],
    max_windows: Annotated[int, Range(1, 4096)],
    max_tiles: Annotated[int, Range(1, 4096)],
    max_pixels: Annotated[int, Range(1, 2**28)],
    mpp: Annotated[float, Range(1e-3, 1e3)] = math.nan,
) -> dict[str, NDArray[np.generic]]:
    """Stage `<pipeline>_decode`: JPEG, PNG or PPM pictures → windows, RGB of the network's size.

    `tile` bytes (P,), `region` float32 (P, 4), `window` float32 (N, 4), `slide_mpp` float32 (1,), which is the public
    `MPP` → `IMAGE` uint8 (N, tile_px, tile_px, 3), and `identity` for each as `NETWORK`. Shrinking is antialiased.
    `mpp` is the network's µm/px; without one, windows of any size are taken.
    Raises ValueError, naming what is to blame, for no windows or more than `max_windows`, more than `max_tiles`
    pictures, rectangles that are none, windows that are not square or not of the network's physical size, pictures
    that do not fit each other or their windows, or are no whole pictures; and for more than `max_pixels` pixels in a
    picture, in all pictures that are put together, or in all windows made of them.
    """
    windows = checked_regions("WINDOW", window, checked_count("WINDOW", window, 2, max_windows))
    regions = checked_regions("REGION", region, checked_count("TILE", tile, 1, max_tiles))
    check_physical_size(windows, slide_mpp, tile_px, mpp)
    tiles: list[bytes] = tile.tolist()
    near = pictures_near(windows, regions, tile_px)
    whole = whole_pictures(windows, regions, tiles)
    image = np.empty((len(windows), tile_px, tile_px, 3), np.uint8)
    parts = [n for n, shown in enumerate(whole) if shown is None]
    if parts:
        assembled(image, tiles, regions, {n: (windows[n], np.flatnonzero(near[n])) for n in parts}, max_pixels)
    shown = [
        (image[n], n, windows[n].tolist(), index, tiles[index]) for n, index in enumerate(whole) if index is not None
    ]
    # The list waits for all; the first failure is raised.
    list(POOL.map(lambda each: decode_into(*each, max_pixels=max_pixels), shown))
    return {"IMAGE": image, "NETWORK": column(identity, len(windows))}


def checked_count(name: str, array: NDArray[np.generic], axes: int, most: int) -> int:
    """How many there are; ValueError for none, or more than `most`, before anything is allocated."""
    if array.ndim != axes or not 1 <= len(array) <= most:
        advice = ": send smaller batches" if array.size else ""
        raise ValueError(f"{name} is {list(array.shape)}; wanted 1 to {most} in a request{advice}")
    return len(array)


def decode_into(image: RGB, n: int, window: list[float], index: int, data: bytes, *, max_pixels: int) -> None:
    """Picture `index` of a request, which shows just window `n` → `image` (side, side, 3)."""
    form, width, height = header(index, data, window, max_pixels)
    check_square(n, window, window[2] / width)
    fit(pixels(index, data, form, (width, height)), image)


def assembled(
    image: RGB,
    tile: Sequence[bytes],
    regions: NDArray[np.float64],
    windows: dict[int, tuple[NDArray[np.float64], NDArray[np.intp]]],
    max_pixels: int,
) -> None:
    """Windows, each with the pictures near it, by their places in the request → their places in `image`."""
    used = sorted({int(index) for _, near in windows.values() for index in near})
    forms: dict[int, Format] = {}
    sizes = np.zeros((len(tile), 2), np.int64)
    headers = POOL.map(lambda index: header(index, tile[index], regions[index].tolist(), max_pixels), used)
    for index, (forms[index], *size) in zip(used, headers, strict=True):
        sizes[index] = size
    mosaics = [
        mosaic(n, window, Pictures(near, regions[near], sizes[near]), max_pixels)
        for n, (window, near) in windows.items()
    ]
    laid_in = sorted({piece.tile for each in mosaics for piece in each.pieces})
    check_pixels(mosaics, int(sizes[laid_in].prod(axis=1).sum()), max_pixels)
    lay(mosaics, lambda index: pixels(index, tile[index], forms[index], tuple(sizes[index].tolist())), image)


def lay(mosaics: Sequence[Mosaic], decoded: Callable[[int], RGB], image: RGB) -> None:
    """Each picture once, `decoded` by its place in the request, into all windows that show it → `image`.

    Where windows' pictures lie side by side, a picture is let go as soon as it was laid: one a thread is held.
    """
    whole = [each for each in mosaics if each.is_side_by_side]
    others = [each for each in mosaics if not each.is_side_by_side]
    windows = {each.window: blank(each, image[each.window]) for each in whole}
    kept = {piece.tile: np.empty((0, 0, 3), np.uint8) for each in others for piece in each.pieces}
    shown_by: dict[int, list[tuple[Mosaic, Piece]]] = {index: [] for index in kept}
    for each in whole:
        for piece in each.pieces:
            shown_by.setdefault(piece.tile, []).append((each, piece))

    def lay_one(index: int) -> None:
        picture = decoded(index)
        for each, piece in shown_by[index]:
            windows[each.window][piece.inside(each.w_width, each.w_height)] = piece.shown(each, picture)
        if index in kept:
            kept[index] = picture

    list(POOL.map(lay_one, sorted(shown_by)))
    list(POOL.map(lambda each: fit(windows[each.window], image[each.window]), whole))
    list(POOL.map(lambda each: fit(stitched(each, kept), image[each.window]), others))


def blank(mosaic: Mosaic, image: RGB) -> RGB:
    """Where a window is laid: in `image` itself if that has its size; white where no picture will be."""
    shape = mosaic.w_height, mosaic.w_width, 3
    window = image if image.shape == shape else np.empty(shape, np.uint8)
    if mosaic.covered < mosaic.pixels:
        window[:] = WHITE
    return window


def check_pixels(mosaics: list[Mosaic], decoded: int, max_pixels: int) -> None:
    made, covered = sum(each.pixels for each in mosaics), sum(each.covered for each in mosaics)
    if max(made, covered, decoded) > max_pixels:
        raise ValueError(
            f"{len(mosaics)} windows of {made} pixels, {covered} of them covered, are to be put together from pictures"
            f" of {decoded}; at most {max_pixels} each are in a request: send smaller batches, or a coarser level"
        )


def header(index: int, data: bytes, region: list[float], max_pixels: int) -> tuple[Format, int, int]:
    """Format, width and height of picture `index`, which shows `region`."""
    try:
        form = format_of(data)
        width, height = form.header(data)
        if width * height > max_pixels:
            raise ValueError(
                f"is {width} x {height} = {width * height} pixels by its header; at most {max_pixels} are decoded:"
                " send smaller tiles"
            )
        check_shape(width, height, region)
    except ValueError as error:
        raise ValueError(f"TILE {index} {error}") from error
    return form, width, height


def pixels(index: int, data: bytes, form: Format, size: tuple[int, int]) -> RGB:
    """Of picture `index`, of the (width, height) that its header has.

    A JPEG is not decoded at a part of its size: rows would depend on how pixels travelled, or met in a window.
    """
    try:
        found = form.pixels(data, *size)
        if found.shape != (*size[::-1], 3):
            raise ValueError(f"is a {form.name} of {size} pixels by its header, {list(found.shape)} decoded: corrupt")
    except ValueError as error:
        raise ValueError(f"TILE {index} {error}") from error
    return found


def fit(found: RGB, image: RGB) -> None:
    """`found` → `image`, resized where it has another size."""
    if found is image:
        return
    if found.shape[:2] == image.shape[:2]:
        image[:] = found
    else:
        shrinks = min(found.shape[:2]) > len(image)
        cv2.resize(found, image.shape[:2], dst=image, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
