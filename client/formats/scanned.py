"""Slides that OpenSlide opens; the only file that imports it."""

import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import openslide

from histoserve.client.errors import SlideError, UnreadableRegion
from histoserve.client.formats.levels import Level, common_downsample, same_content
from histoserve.client.formats.samples import RGB, over_white
from histoserve.client.formats.stored_tiff import stored_tiff
from histoserve.client.formats.tables import TileTable
from histoserve.client.grid import Rectangle
from histoserve.client.slide import Slide, printable
from histoserve.client.travel.stored import StoredTiles

ANY_TIFF = "generic-tiff"
"""OpenSlide's driver of last resort: it takes any tiled TIFF, whatever its tags say."""

LATTICES, DICOM = ("aperio", ANY_TIFF), "dicom"
"""Drivers of slides whose tiles lie side by side, without gaps, from the corner on."""

ELSEWHERE_PX = 256
"""Side of the blocks of a level that are read from a finer one where the level cannot be read."""


class ScannedSlide(Slide):
    """Anything OpenSlide opens.

    One failed read spoils an OpenSlide handle for good, so a failure opens the file anew: one bad region must not take
    the others with it. A spoilt handle closes itself when the last thread lets go of it.
    """

    def __init__(self, path: Path, tables: Sequence[TileTable] = ()):
        """`tables`: where the tiles of some levels lie, for those drivers that paint over what is missing."""
        self._handle = _open(path)
        self._lock = threading.Lock()
        self._tables = {table.size: table for table in tables}
        super().__init__(path, (1.0,), self._handle.dimensions)
        self._levels = [Level(0, self.l0_size, 1.0, 1.0)]
        for number in range(1, self._handle.level_count):
            self._add_level(number)
        self.downsamples = tuple(level.downsample for level in self._levels)
        across, down = self._number(openslide.PROPERTY_NAME_MPP_X), self._number(openslide.PROPERTY_NAME_MPP_Y)
        self.stated_mpp = (across, down) if across and down else None
        self.objective_power = self._number(openslide.PROPERTY_NAME_OBJECTIVE_POWER)
        self.bounds = self._bounds()

    def read(self, l0_region: Rectangle, level: int) -> RGB:
        """As Slide.read; what a level cannot give comes from the next finer one, which `read_elsewhere` counts."""
        try:
            return self._read_level(l0_region, self._levels[level])
        except UnreadableRegion:
            if level == 0:
                raise
        return self._read_elsewhere(l0_region, level)

    def close(self) -> None:
        """As Slide.close."""
        self._handle.close()

    def stored(self, level: int) -> StoredTiles | None:
        """As Slide.stored."""
        chosen, downsample = self._levels[level], int(self.downsamples[level])
        # Between whole pixels OpenSlide mixes neighbours.
        if not chosen.downsample == chosen.stated_downsample == downsample:
            return None
        vendor = self._handle.properties.get(openslide.PROPERTY_NAME_VENDOR)
        if vendor in LATTICES:
            return stored_tiff(self.path, chosen.size, downsample)
        if vendor == DICOM:
            # Most calls read none.
            from histoserve.client.formats.stored_dicom import stored_dicom

            return stored_dicom(self.path, chosen.size, downsample)
        return None

    def _add_level(self, number: int) -> None:
        size, stated = self._handle.level_dimensions[number], self._handle.level_downsamples[number]
        name = f"Level {number} ({size[0]}×{size[1]})"
        downsample = common_downsample(self.l0_size, size)
        if downsample is None:
            ratios = " and ".join(f"{l0 / px:.4g}" for l0, px in zip(self.l0_size, size, strict=True))
            self.dropped_levels.append(f"{name} is not used: it would be smaller by {ratios} across and down.")
            return
        level = Level(number, size, downsample, stated)
        if downsample <= self._levels[-1].downsample:
            self.dropped_levels.append(f"{name} is not used: it is no smaller than the level before it.")
        elif not same_content(self._read_level, self.l0_size, self._levels[-1], level):
            self.dropped_levels.append(
                f"{name} is not used: it does not show what level {self._levels[-1].number} shows."
            )
        else:
            self._levels.append(level)

    def _read_elsewhere(self, l0_region: Rectangle, level: int) -> RGB:
        """Block by block: few of them are bad, and a whole level's worth of a finer one would not fit in memory."""
        downsample = self.downsamples[level]
        width, height = _size(l0_region, downsample)
        if max(width, height) <= ELSEWHERE_PX:
            finer = self.read(l0_region, level - 1)
            with self._lock:
                self.read_elsewhere[level] = self.read_elsewhere.get(level, 0) + 1
            return cv2.resize(finer, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)
        rgb = np.empty((height, width, 3), np.uint8)
        for top in range(0, height, ELSEWHERE_PX):
            for left in range(0, width, ELSEWHERE_PX):
                part = rgb[top : top + ELSEWHERE_PX, left : left + ELSEWHERE_PX]
                x, y = l0_region[0] + round(left * downsample), l0_region[1] + round(top * downsample)
                across, down = round(part.shape[1] * downsample), round(part.shape[0] * downsample)
                part[:] = self.read((x, y, max(1, across), max(1, down)), level)
        return rgb

    def _read_level(self, l0_region: Rectangle, level: Level) -> RGB:
        """As Slide.read, of this level alone."""
        table = self._tables.get(level.size)
        if table and table.misses(*(each / level.downsample for each in l0_region)):
            raise UnreadableRegion(_unreadable(self.name, l0_region, "tiles have no bytes, or too few"))
        handle = self._handle
        try:
            return _read_with(handle, l0_region, level)
        except openslide.OpenSlideError:
            pass
        try:
            fresh = _open(self.path)
            pixels = _read_with(fresh, l0_region, level)
        except (openslide.OpenSlideError, SlideError) as error:
            self._replace(handle)
            raise UnreadableRegion(_unreadable(self.name, l0_region, error)) from error
        with self._lock:
            self._handle = fresh
        return pixels

    def _replace(self, spoilt: openslide.OpenSlide) -> None:
        with self._lock:
            if self._handle is spoilt:
                # If the file went away, every read says so from now on.
                with suppress(SlideError):
                    self._handle = _open(self.path)

    def _number(self, name: str) -> float | None:
        try:
            number = float(self._handle.properties[name])
        except (KeyError, ValueError):
            return None
        return number if 0 < number < float("inf") else None

    def _bounds(self) -> Rectangle | None:
        names = (
            openslide.PROPERTY_NAME_BOUNDS_X,
            openslide.PROPERTY_NAME_BOUNDS_Y,
            openslide.PROPERTY_NAME_BOUNDS_WIDTH,
            openslide.PROPERTY_NAME_BOUNDS_HEIGHT,
        )
        try:
            x, y, width, height = (int(self._handle.properties[name]) for name in names)
        except (KeyError, ValueError):
            return None
        return x, y, width, height


def openslide_driver(path: Path) -> str | None:
    """The driver's name, as OpenSlide calls the vendor; None for what it does not know."""
    driver: str | None = openslide.OpenSlide.detect_format(path)
    return driver


def _open(path: Path) -> openslide.OpenSlide:
    try:
        return openslide.OpenSlide(path)
    except (openslide.OpenSlideError, OSError) as error:
        raise SlideError(
            f"OpenSlide cannot open {printable(path)}: {error}. The file is damaged or of a kind it does not know; "
            "copy it again from the scanner, or convert it."
        ) from error


def _read_with(handle: openslide.OpenSlide, l0_region: Rectangle, level: Level) -> RGB:
    # OpenSlide divides the place by its own idea of the level's scale.
    place = [round(each / level.downsample * level.stated_downsample) for each in l0_region[:2]]
    return over_white(np.asarray(handle.read_region(place, level.number, _size(l0_region, level.downsample))))


def _size(l0_region: Rectangle, downsample: float) -> tuple[int, int]:
    return max(1, round(l0_region[2] / downsample)), max(1, round(l0_region[3] / downsample))


def _unreadable(name: str, l0_region: Rectangle, why: object) -> str:
    x, y, width, height = l0_region
    return f"{name} cannot be read at x {x}, y {y}, {width}×{height} px: {why}"
