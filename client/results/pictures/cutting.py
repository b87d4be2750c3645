"""A part of a slide as a picture of a given size."""

import cv2
import numpy as np

from histoserve.client.errors import UnreadableRegion
from histoserve.client.grid import Rectangle
from histoserve.client.results.pictures.canvas import Image
from histoserve.client.slide import UNREAD, Slide


def cut(slide: Slide, l0_region: Rectangle, px: int) -> Image:
    """A square region as (px, px, 3), from the coarsest level that is fine enough; grey if it cannot be read."""
    try:
        pixels = slide.read(l0_region, slide.level_for(l0_region[2] / px))
    except UnreadableRegion:
        return np.full((px, px, 3), UNREAD, np.uint8)
    how = cv2.INTER_AREA if pixels.shape[0] > px else cv2.INTER_CUBIC
    return cv2.resize(pixels, (px, px), interpolation=how).astype(np.uint8)
