"""What a TIFF says of itself: its pages, how their samples are to be understood, and where its bytes lie."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from histoserve.client.errors import SlideError
from histoserve.client.formats.ome import ome_axes, ome_mpp
from histoserve.client.slide import printable

# It logs what it finds odd; what matters here is refused in words.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

Page = Any
"""A `tifffile.TiffPage`."""

MINISWHITE, MINISBLACK, RGB, PALETTE, MASK, SEPARATED, YCBCR, CIELAB = 0, 1, 2, 3, 4, 5, 6, 8
"""PhotometricInterpretation."""

NO_COMPRESSION, LZW, OLD_JPEG, JPEG, ADOBE_DEFLATE, PACKBITS, DEFLATE = 1, 5, 6, 7, 8, 32773, 32946

ACCOMPANYING = 0.3
"""Of the image's area: thumbnails, labels and pyramid levels (a half on each side, rounded) have at most this."""


@dataclass(frozen=True)
class Pages:
    """Which page of a TIFF is the image."""

    image: Page
    index: int
    count: int
    is_ome: bool
    ome_mpp: tuple[float, float] | None
    """µm/px across and down as OME-XML has it."""


@contextmanager
def opened_tiff(path: Path) -> Iterator[tifffile.TiffFile]:
    """Raises SlideError for whatever goes wrong with the tags, within the block too: they are a stranger's bytes."""
    try:
        with tifffile.TiffFile(path) as tiff:
            yield tiff
    except (SlideError, MemoryError):
        raise
    except Exception as error:
        raise SlideError(
            f"{printable(path)} is a TIFF whose tags cannot be read ({error}): it is damaged. Copy it again."
        ) from error


def pages_of(path: Path, tiff: tifffile.TiffFile) -> Pages:
    """The largest page is the image if all others are smaller pictures of it or labels; raises SlideError if not."""
    pages = list(tiff.pages)
    if not pages:
        raise SlideError(f"{printable(path)} is a TIFF without a page: it is damaged or cut short. Copy it again.")
    index = max(range(len(pages)), key=lambda i: (_area(pages[i]), -i))
    image = pages[index]
    rivals = [page for page in pages if page is not image and not _accompanies(page, image)]
    if rivals:
        sizes = {f"{page.imagewidth}×{page.imagelength}" for page in (image, *rivals)}
        raise SlideError(
            f"{printable(path)} has {len(rivals) + 1} pages that could each be the image ({', '.join(sorted(sizes))}): "
            f"planes of colour, focal planes or time points{ome_axes(tiff)} are not supported. "
            "Save the one to analyse as RGB."
        )
    return Pages(image, index, len(pages), bool(tiff.is_ome), ome_mpp(tiff))


def unsupported(page: Page) -> str | None:
    """The first property of a page that no decoder here understands, in words; None if there is none."""
    bits, samples, photometric = page.bitspersample, page.samplesperpixel, page.photometric
    extra, compression = len(page.extrasamples), page.compression
    colours = 3 if photometric in (RGB, YCBCR) else 1
    for wrong, words in (
        (page.sampleformat not in (1, 4, None), f"samples of format {_name(page.sampleformat)}"),
        (bits not in (8, 16), f"{bits} bits a sample"),
        (photometric not in (MINISWHITE, MINISBLACK, RGB, PALETTE, YCBCR), f"colour space {_name(photometric)}"),
        (samples not in (colours, colours + 1) or extra > 1, f"{samples} samples a pixel"),
        (compression not in DECODED, f"compression {_name(compression)}"),
        (photometric == YCBCR and compression != JPEG, "YCBCR without JPEG compression"),
        (photometric == PALETTE and (bits != 8 or compression == JPEG), f"a palette of {bits} bits"),
        (compression == JPEG and bits != 8, f"JPEG of {bits} bits a sample"),
        (page.predictor not in (1, 2), f"predictor {_name(page.predictor)}"),
        (page.fillorder != 1, "reversed bit order"),
        (page.imagedepth != 1, f"a volume of {page.imagedepth} slices"),
    ):
        if wrong:
            return words
    return None


DECODED = {NO_COMPRESSION, LZW, JPEG, ADOBE_DEFLATE, PACKBITS, DEFLATE}


def openslide_misreads(page: Page) -> str | None:
    """Why OpenSlide's driver for any tiled TIFF would show something else than the page says; None if it would not."""
    photometric, samples, extra = page.photometric, page.samplesperpixel, tuple(page.extrasamples)
    for wrong, words in (
        (page.bitspersample != 8 or page.sampleformat not in (1, None), f"{page.bitspersample} bits a sample"),
        (photometric not in (MINISBLACK, RGB, YCBCR), f"colour space {_name(photometric)}"),
        (photometric == YCBCR and page.compression != JPEG, "YCBCR without JPEG compression"),
        (page.compression == OLD_JPEG, "compression OJPEG"),
        ((samples, extra) not in _SAMPLES[photometric != MINISBLACK], f"{samples} samples a pixel"),
        (page.planarconfig != 1 and samples > 1, "separate planes"),
        (orientation(page) != 1, f"orientation {orientation(page)}"),
        (page.imagedepth != 1, f"a volume of {page.imagedepth} slices"),
    ):
        if wrong:
            return words
    return None


_SAMPLES: dict[bool, list[tuple[int, tuple[int, ...]]]] = {True: [(3, ()), (4, (1,)), (4, (2,))], False: [(1, ())]}
"""(samples, extra samples) by whether the page has colours; an extra sample that is not declared is not alpha."""


def orientation(page: Page) -> int:
    """1 to 8 as in TIFF and EXIF, 1 upright; what is out of range counts as upright, as in every viewer."""
    value = page.tags.valueof("Orientation", default=1)
    return int(value) if value in range(1, 9) else 1


def tiled_mpp(page: Page) -> tuple[float, float] | None:
    """µm/px across and down of a tiled page that counts pixels per centimetre; the rule of OpenSlide.

    Other resolutions are a printer's.
    """
    if not page.is_tiled or page.tags.valueof("ResolutionUnit", default=2) != 3:
        return None
    found = [_ratio(page.tags.valueof(name, default=(0, 1))) for name in ("XResolution", "YResolution")]
    return (1e4 / found[0], 1e4 / found[1]) if min(found) > 0 else None


def damaged_segments(page: Page, file_bytes: int) -> NDArray[np.bool_]:
    """Which strips or tiles, in the page's order, have no bytes, lie beyond the file's end, or are too short."""
    count = len(page.dataoffsets)
    expected = int(np.prod(page.chunked)) if page.is_tiled else -(-page.imagelength // max(1, page.rowsperstrip))
    if page.planarconfig == 2 and not page.is_tiled:
        expected *= page.samplesperpixel
    offsets = np.array(page.dataoffsets, np.float64)
    lengths = np.resize(np.array(page.databytecounts, np.float64), count) if page.databytecounts else np.zeros(count)
    bad = (offsets <= 0) | (lengths <= 0) | (offsets + lengths > file_bytes)
    if page.compression == NO_COMPRESSION and page.is_tiled:
        samples = page.samplesperpixel if page.planarconfig == 1 else 1
        bad |= lengths < page.tilewidth * page.tilelength * samples * page.bitspersample // 8
    missing = np.ones(max(0, expected - count), bool)
    return np.concatenate([bad, missing])[: max(expected, 0)]


def _area(page: Page) -> int:
    return int(page.imagewidth) * int(page.imagelength)


def _accompanies(page: Page, image: Page) -> bool:
    reduced_or_mask = int(page.subfiletype) & 5
    return bool(reduced_or_mask) or _area(page) <= ACCOMPANYING * _area(image)


def _name(value: Any) -> str:
    name = getattr(value, "name", None)
    return f"{name} ({int(value)})" if name else str(value)


def _ratio(value: Sequence[int]) -> float:
    return float(value[0]) / float(value[1]) if value[1] else 0.0
