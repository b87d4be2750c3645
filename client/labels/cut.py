"""Where an H&E slide is cut into tiles that may teach something, and their pictures."""

import cv2

from histoserve.client.errors import SlideError
from histoserve.client.grid import Rectangle, grid, tile_size
from histoserve.client.resolution import check_network
from histoserve.client.slide import RGB, Slide
from histoserve.client.survey import survey_slide
from histoserve.client.tissue import find_tissue
from histoserve.client.travel.reading import READERS

LEAST_TISSUE = 0.25
"""Share of a tile that must be tissue: less of it shows a rim, where two sections never agree."""

LOOK_PX = 1000
"""Longer side of the picture in which tissue is sought, at least."""


def tiles_of(slide: Slide, slide_mpp: float, tile_px: int, mpp: float) -> list[Rectangle]:
    """Level-0 regions by rows, side by side, whole and with tissue on them, each `tile_px` px at `mpp` wide.

    `slide_mpp`: µm per level-0 px. Raises SlideError for a slide that is too coarse or has no such tile.
    """
    check_network(slide.name, slide_mpp, mpp)
    level = slide.level_for(mpp / slide_mpp)
    size = tile_size(tile_px, mpp, 0, slide_mpp, slide.unit(level))
    tissue = find_tissue(survey_slide(slide, slide_mpp, LOOK_PX, READERS), slide_mpp)
    area = (size.side * slide_mpp / 1000) ** 2
    planned = (tile.region for tile in grid(*slide.l0_size, size, whole=True))
    found = [region for region in planned if tissue.mm2(region) >= LEAST_TISSUE * area]
    if not found:
        raise SlideError(
            f"{slide.name} has no tile of {tile_px * mpp:.0f} µm with tissue on a quarter of it: nothing of it can be "
            "labelled. Give a slide with more tissue."
        )
    return found


def picture_of(slide: Slide, region: Rectangle, px: int) -> RGB:
    """A square region as (px, px, 3), from the coarsest level that is fine enough; raises UnreadableRegion."""
    pixels = slide.read(region, slide.level_for(region[2] / px))
    how = cv2.INTER_AREA if pixels.shape[0] > px else cv2.INTER_LINEAR
    return cv2.resize(pixels, (px, px), interpolation=how).astype("uint8")
