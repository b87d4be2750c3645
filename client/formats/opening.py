"""Which reader a file gets.

A driver of OpenSlide that knows the scanner is believed. Its driver for any tiled TIFF is believed where the tags say
that it reads them rightly; where they do not, the image is decoded in memory by what the tags say, or refused.
"""

from pathlib import Path

from histoserve.client.errors import SlideError
from histoserve.client.formats import tags
from histoserve.client.formats.plain import fits_in_memory, open_jpeg, open_png, open_tiff
from histoserve.client.formats.scanned import ANY_TIFF, ScannedSlide, openslide_driver
from histoserve.client.formats.tables import TileTable, tile_table
from histoserve.client.slide import Slide, printable

MPP_TOLERANCE = 0.02
"""How far two statements of µm/px in one file may differ before it is worth a word."""


def open_file(path: Path, kind: str | None) -> Slide:
    """`kind`: what the file's first bytes say of plain images. Raises SlideError."""
    driver = openslide_driver(path)
    if driver is not None and driver != ANY_TIFF:
        return ScannedSlide(path)
    if kind == "PNG":
        return open_png(path)
    if kind == "JPEG":
        return open_jpeg(path)
    if kind == "TIFF":
        return _open_any_tiff(path) if driver else open_tiff(path)
    if kind == "DICOM":
        # Most calls read none.
        from histoserve.client.formats.radiology import open_dicom

        return open_dicom(path)
    raise SlideError(
        f"{printable(path)} is neither a slide that OpenSlide opens nor a PNG, JPEG, TIFF or DICOM image. "
        "Check that the file is the slide itself and was copied whole."
    )


def _open_any_tiff(path: Path) -> Slide:
    with tags.opened_tiff(path) as tiff:
        pages = tags.pages_of(path, tiff)
        # The driver takes the first page for the image, whatever its size.
        rightly = pages.index == 0 and tags.openslide_misreads(pages.image) is None
        # With all in memory it is seen whether anything is opaque at all.
        rightly = rightly and not (pages.image.extrasamples and fits_in_memory(pages.image))
        tables = _tables(path, list(tiff.pages)) if rightly else []
    if not rightly:
        return open_tiff(path)
    slide = ScannedSlide(path, tables)
    if pages.ome_mpp:
        if slide.stated_mpp and abs(slide.stated_mpp[0] / pages.ome_mpp[0] - 1) > MPP_TOLERANCE:
            slide.warnings.append(
                f"OME-XML states {pages.ome_mpp[0]:.6g} µm/px, the TIFF's own resolution {slide.stated_mpp[0]:.6g}; "
                "OME-XML is believed."
            )
        slide.stated_mpp = pages.ome_mpp
    return slide


def _tables(path: Path, pages: list[tags.Page]) -> list[TileTable]:
    size = path.stat().st_size
    return [tile_table(page, size) for page in pages if page.is_tiled and page.planarconfig == 1]
