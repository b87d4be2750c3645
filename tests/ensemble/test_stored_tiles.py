"""Windows made of a slide's own JPEG tiles, as they are stored, have the bits of regions that OpenSlide reads."""

from pathlib import Path

import numpy as np
import openslide
import pytest
import tifffile

from histoserve.ensemble.decode import decode
from histoserve.ensemble.jpeg import jpeg_pixels

APP14 = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0"
"""Says of three colours that they are RGB, as Aperio stores them."""
SLIDES = ("CMU-1-Small-Region.svs", "damaged/CMU-1-Small-Region.wrong-mpp.tiff")
SIDE, TILE_PX = 257, 128
INSIDE = ((0, 0), (3, 5), (119, 121), (480, 480), (1000, 1500), (1700, 2500), (1963, 2710))
AT_THE_END = ((2000, 300), (300, 2800), (2100, 2900), (-100, -50))


def ppm(rgb: np.ndarray) -> bytes:
    return b"P6\n%d %d\n255\n" % (rgb.shape[1], rgb.shape[0]) + rgb.tobytes()


def stored(path: Path, x: int, y: int) -> tuple[list[bytes], list[tuple[int, int, int, int]]]:
    """The tiles that a window touches, and where they are; those that reach beyond the slide's end cut off there."""
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        side, (height, width) = page.tilewidth, page.shape[:2]
        head = b"\xff\xd8" + (page.jpegtables[2:-2] + APP14 if page.jpegtables else b"")
        pictures, regions, across = [], [], -(-width // side)
        for row in range(max(0, y) // side, (min(height, y + SIDE) - 1) // side + 1):
            for column in range(max(0, x) // side, (min(width, x + SIDE) - 1) // side + 1):
                index = row * across + column
                file.filehandle.seek(page.dataoffsets[index])
                data = head + file.filehandle.read(page.databytecounts[index])[2:]
                shown = (min(side, width - column * side), min(side, height - row * side))
                if shown != (side, side):
                    data = ppm(np.ascontiguousarray(jpeg_pixels(data, side, side)[: shown[1], : shown[0]]))
                pictures.append(data)
                regions.append((column * side, row * side, *shown))
    return pictures, regions


def image(pictures: list[bytes], regions: list[tuple[int, int, int, int]], window: tuple[int, int]) -> np.ndarray:
    rectangles = np.array(regions, np.float32), np.array([(*window, SIDE, SIDE)], np.float32)
    limits = {"max_windows": 1, "max_tiles": 99, "max_pixels": 2**20}
    nan = np.array([np.nan], np.float32)
    return decode(np.array(pictures, object), *rectangles, nan, identity=1, tile_px=TILE_PX, **limits)["IMAGE"]


@pytest.mark.parametrize("name", SLIDES)
def test_stored_tiles_give_the_bits_that_openslide_cuts_also_at_the_slides_end(shared: Path, name: str) -> None:
    path = shared / "slides" / name
    with openslide.OpenSlide(path) as slide:
        for window in INSIDE + AT_THE_END:
            rgba = np.asarray(slide.read_region(window, 0, (SIDE, SIDE)))
            rgb = np.where(rgba[..., 3:] == 0, 255, rgba[..., :3])
            whole = image([ppm(rgb.astype(np.uint8))], [(*window, SIDE, SIDE)], window)
            pictures, regions = stored(path, *window)
            assert len(pictures) >= 1
            assert (image(pictures, regions, window) == whole).all(), window
