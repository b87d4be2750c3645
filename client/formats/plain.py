"""Images that are held in memory: PNG, JPEG, and TIFFs that OpenSlide does not read rightly."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from histoserve.client.errors import SlideError
from histoserve.client.formats import tags
from histoserve.client.formats.jpeg import decoded_jpeg, jpeg_orientation, jpeg_size
from histoserve.client.formats.png import decoded_png, png_orientation, png_size
from histoserve.client.formats.samples import RGB, eight_bits, rgb_from, upright
from histoserve.client.formats.tiff import tiff_pixels
from histoserve.client.grid import Rectangle
from histoserve.client.slide import Slide, printable

LARGEST_PX = 2**28
"""0.8 GB of RGB; larger pictures belong into a tiled file."""

LARGEST_BYTES = 2**31
"""Of a PNG's or JPEG's file: twice what the largest picture takes."""


class PlainImage(Slide):
    """An image held in memory; a printer's resolution is not read."""

    def __init__(self, path: Path, pixels: RGB, orientation: int = 1):
        """`pixels` as stored; `orientation` says where they belong."""
        self._pixels = upright(pixels, orientation)
        super().__init__(path, (1.0,), (self._pixels.shape[1], self._pixels.shape[0]))
        if orientation != 1:
            self.warnings.append(
                f"The file says that it is turned or mirrored (orientation {orientation}): coordinates are those of "
                "the upright picture; a viewer that does not turn it shows them elsewhere."
            )

    def read(self, l0_region: Rectangle, level: int) -> RGB:
        """As Slide.read."""
        x, y, width, height = l0_region
        rgb = np.full((height, width, 3), 255, np.uint8)
        part = self._pixels[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)]
        top, left = max(-y, 0), max(-x, 0)
        rgb[top : top + part.shape[0], left : left + part.shape[1]] = part
        return rgb

    def close(self) -> None:
        """As Slide.close."""
        self._pixels = self._pixels[:0]


def open_png(path: Path) -> PlainImage:
    """Raises SlideError."""
    data = _bytes(path, png_size)
    samples, alpha = decoded_png(printable(path), data)
    pixels = rgb_from(printable(path), eight_bits(printable(path), samples), "straight" if alpha else None)
    return PlainImage(path, pixels, png_orientation(data))


def open_jpeg(path: Path) -> PlainImage:
    """Raises SlideError."""
    data = _bytes(path, lambda name, data: jpeg_size(name, data)[:2])
    pixels = decoded_jpeg(printable(path), data)
    return PlainImage(path, rgb_from(printable(path), np.atleast_3d(pixels), None), jpeg_orientation(data))


def open_tiff(path: Path) -> PlainImage:
    """Raises SlideError, with the first property that is not supported."""
    with tags.opened_tiff(path) as tiff:
        pages = tags.pages_of(path, tiff)
        page = pages.image
        problem = tags.unsupported(page)
        if problem:
            raise SlideError(
                f"{printable(path)} is a TIFF with {problem}, which is not supported. "
                "Save it as RGB of 8 bits, without compression or with LZW, deflate or JPEG."
            )
        misread = tags.openslide_misreads(page)
        _check_size(printable(path), page.imagewidth, page.imagelength, misread)
        if page.is_tiled:
            _check_size(f"{printable(path)}'s tile", page.tilewidth, page.tilelength, misread)
        slide = PlainImage(path, tiff_pixels(path, page), tags.orientation(page))
        slide.stated_mpp = pages.ome_mpp or tags.tiled_mpp(page)
    if pages.count > 1:
        slide.warnings.append(
            f"Of the file's {pages.count} pages the largest, number {pages.index + 1} "
            f"({page.imagewidth}×{page.imagelength}), is taken for the image, the smaller ones for previews."
        )
    return slide


def fits_in_memory(page: tags.Page) -> bool:
    """Whether a TIFF's page may be opened as a plain image."""
    return bool(page.imagewidth * page.imagelength <= LARGEST_PX)


def _bytes(path: Path, size_of: Callable[[str, bytes], tuple[int, int]]) -> bytes:
    """The file; none that states a picture too large, or of no size."""
    if path.stat().st_size > LARGEST_BYTES:
        raise SlideError(
            f"{printable(path)} has over {LARGEST_BYTES} bytes, too many for an image that is held in memory."
        )
    data = path.read_bytes()
    _check_size(printable(path), *size_of(printable(path), data))
    return data


def _check_size(name: str, width: int, height: int, why: str | None = None) -> None:
    if width < 1 or height < 1:
        raise SlideError(f"{name} states a size of {width}×{height} px: it is damaged. Copy it again.")
    if width * height > LARGEST_PX:
        because = f" (OpenSlide cannot read it piece by piece because of its {why})" if why else ""
        raise SlideError(
            f"{name} states {width}×{height} px, more than the {LARGEST_PX} that a plain image may have, which is held "
            f"in memory{because}. Convert it to a tiled TIFF of RGB with 8 bits."
        )
