"""The tiles of a pair, cut from both slides by the same rule and read (CN114387243A [0110-0132]).

H&E: grid ─▶ he_region ─▶ its picture, and through the registration the IHC's, in the same orientation ─▶ reading
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.errors import OutputError, SlideError, UnreadableRegion
from histoserve.client.grid import Rectangle
from histoserve.client.labels.label import NO_TUMOUR, Pair, Tile, picture_name
from histoserve.client.labels.record import read_journal
from histoserve.client.labels.write import record_tile
from histoserve.client.replace import replace_file
from histoserve.client.slide import RGB, printable

MOST_RESIDUAL = 0.1
"""Of a tile's side: farther off, the IHC shows other tissue than the H&E."""


class Laid(Protocol):
    """How an IHC slide lies to an H&E slide; regions and points in level-0 px. As registration.Registration."""

    def corners_in_ihc(self, region: Rectangle) -> NDArray[np.float64]:
        """(4, 2) of a region of the H&E, on the IHC."""

    def ihc_region(self, region: Rectangle) -> Rectangle:
        """The box around these."""

    def residual_um(self, region: Rectangle) -> float:
        """How far both are off each other there; infinity where nothing tells."""


class Reading(Protocol):
    """Of an IHC tile; as tile_reading.Reading."""

    @property
    def positive(self) -> int:
        """Tumour cells with the marker."""

    @property
    def negative(self) -> int:
        """And without."""

    @property
    def ratio(self) -> float:
        """0-1; NaN where there is no tumour."""


@dataclass(frozen=True)
class Source:
    """Where the tiles of a pair come from."""

    laid: Laid
    ihc_size: tuple[int, int]
    """Level-0 px."""
    he_picture: Callable[[Rectangle], RGB]
    """Of a region of the H&E, (tile_px, tile_px, 3); may raise UnreadableRegion."""
    ihc_picture: Callable[[Rectangle], RGB]
    """Of the IHC under a region of the H&E, likewise."""
    read: Callable[[RGB, float], Reading]
    """Picture and its µm/px → reading; raises SlideError for a picture that it cannot read."""


def record_tiles(pair: Pair, place: Path, regions: Sequence[Rectangle], source: Source) -> Iterator[str | None]:
    """Records each region of the H&E that is not recorded yet, with its pictures, in the pair's folder `place`.

    One region after the other: None for one that is recorded, a sentence for one that cannot be read. Raises
    OutputError, LabelsError, and what reading a tile raises.
    """
    known = {tile.number: tile for tile in read_journal(place)}
    for number, region in enumerate(regions, 1):
        if number in known:
            yield None
            continue
        try:
            he, ihc = source.he_picture(region), source.ihc_picture(region)
        except UnreadableRegion as error:
            yield f"Tile {number} is left out: {error}"
            continue
        tile = _tile(pair, number, region, ihc, source)
        for stain, picture in (("he", he), ("ihc", ihc)):
            _write_png(place / picture_name(number, stain), picture)
        record_tile(place, tile)
        yield None


def _tile(pair: Pair, number: int, region: Rectangle, ihc: RGB, source: Source) -> Tile:
    residual = source.laid.residual_um(region)
    known = round(residual, 1) if math.isfinite(residual) else None
    there = source.laid.ihc_region(region)
    reason = _reason(residual, pair.tile_px * pair.mpp) or _beyond(source, region)
    if reason:
        return Tile(number, region, there, 0, 0, None, known, reason)
    try:
        reading = source.read(ihc, pair.mpp)
    except SlideError as error:
        # Of this picture alone; what a server cannot do ends the run, which can go on later.
        return Tile(number, region, there, 0, 0, None, known, f"It could not be read: {error}")
    if math.isnan(reading.ratio):
        return Tile(number, region, there, 0, 0, None, known, NO_TUMOUR)
    return Tile(number, region, there, reading.positive, reading.negative, round(reading.ratio, 4), known)


def _reason(residual_um: float, side_um: float) -> str:
    if residual_um <= MOST_RESIDUAL * side_um:
        return ""
    if math.isinf(residual_um):
        return "How far the two sections are off each other here could not be measured."
    return (
        f"The two sections are {residual_um:.1f} µm off each other here, more than a tenth of the tile's "
        f"{side_um:.0f} µm."
    )


def _beyond(source: Source, region: Rectangle) -> str:
    corners = np.asarray(source.laid.corners_in_ihc(region))
    # A pixel of rounding is no tissue lost.
    inside = (corners >= -1).all() and (corners <= np.array(source.ihc_size) + 1).all()
    return "" if inside else "It reaches beyond the IHC slide."


def _write_png(path: Path, picture: RGB) -> None:
    try:
        replace_file(path, cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes())
    except OSError as error:
        raise OutputError(f"{printable(path)} cannot be written: {error.strerror}. Make room.") from error
