"""Stained tiles of phantoms that no training draws, with and without tumour, and their true cells."""

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np

from histoserve.client.slide import RGB
from histoserve.phantom.biomarker.markers import MARKERS
from histoserve.phantom.ihc.tiles import ihc_tiles

FIRST_SEED = 3000
PX, MPP = 1024, 0.3
"""Of a tile, as `histoserve label` cuts them."""
SCANS = (0.3, 0.6)
"""µm/px of the slides, by turns: coarser ones are enlarged, as when they lie under a finer H&E."""


class Tile(NamedTuple):
    """One tile."""

    picture: RGB
    """(PX, PX, 3)."""
    marker: str
    positive: int
    """Tumour cells that reach into it."""
    negative: int


def tiles(slides: int) -> Iterator[Tile]:
    """Of each slide one in a nest of tumour cells and one apart from nests, where it has them; markers by turns."""
    for number in range(slides):
        scan, marker = SCANS[number % len(SCANS)], MARKERS[number // len(SCANS) % len(MARKERS)]
        side = round(PX * MPP / scan)
        for tile in ihc_tiles([FIRST_SEED + number], side=side, mpp=scan, places=("nests", "apart"), markers=[marker]):
            picture = tile.image if side == PX else cv2.resize(tile.image, (PX, PX), interpolation=cv2.INTER_LINEAR)
            positive = int((tile.tumour & tile.positive).sum())
            yield Tile(picture.astype(np.uint8), marker, positive, int(tile.tumour.sum()) - positive)
