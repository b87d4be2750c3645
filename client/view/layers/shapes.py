"""Shapes as outlines; many of them, from 1:8 on, as their density."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histoserve.client.results.layers import Class
from histoserve.client.view.layers.density import FIRST_ZOOM, Density, draw_density
from histoserve.client.view.layers.found import Found
from histoserve.client.view.layers.index import Index
from histoserve.client.view.layers.lines import WIDEST_PX, draw_outlines
from histoserve.client.view.layers.picture import Picture, empty
from histoserve.client.view.layers.ramps import RIM, Ramps, plain, rimmed
from histoserve.client.view.layers.read import feature_at
from histoserve.client.view.layers.tile import Size, Tile, tile_of

FEW = 2000
"""Fewer are outlined at every zoom."""

LARGE_PX = 40.0
"""From here on there is room for a thicker line with a rim, which shows on anything."""

THIN_PX, LINE_PX, RIM_PX = 1, 2, 3
"""Of small outlines; of large ones, and of the rim below. As OpenCV counts: smooth ones come to 1.4, 3.5 and 5.4 px."""

SMALLEST_PX = 4.0
"""An outline is drawn at least this large, about its middle, so that it is seen."""

MOST_FOUND = 10


class DrawnShapes:
    """Fits `drawn.DrawnLayer`."""

    def __init__(self, index: Index, density: Density | None, classes: Sequence[Class], geojson: Path, l0_size: Size):
        """`density`: for many shapes. Raises ValueError for more colours than can be shown."""
        self._index, self._density, self._classes = index, density, classes
        self._geojson, self._l0_size = geojson, l0_size
        self._version = _version(geojson)
        colours = list(dict.fromkeys(each.colour for each in classes))
        self._ramp_of = [colours.index(each.colour) for each in classes]
        self._dense = Ramps([plain(colour) for colour in colours])
        self._lines = Ramps([make(colour) for colour in colours for make in (plain, rimmed)])

    def tile(self, z: int, x: int, y: int, of: frozenset[int] | None, least: float | None) -> bytes:
        """`least` says nothing of shapes."""
        tile = tile_of(self._l0_size, z, x, y)
        if self._density is not None and z >= FIRST_ZOOM:
            return draw_density(self._density, tile, self._dense, self._ramp_of, of) or empty(tile.size)
        return self._outlined(tile, of) or empty(tile.size)

    def _outlined(self, tile: Tile, of: frozenset[int] | None) -> bytes | None:
        """A class on top of the one before; None if there is nothing."""
        rings = self._index.within(tile.l0_square(WIDEST_PX + SMALLEST_PX))
        kinds, extent = self._index.of[rings], self._index.extent(rings) * tile.scale
        ramp, value = (np.zeros(tile.size[::-1], np.uint8) for _ in range(2))
        for number in np.unique(kinds).tolist():
            if of is None or number in of:
                for rim in (False, True):
                    mine = rings[(kinds == number) & ((extent >= LARGE_PX) == rim)]
                    if len(mine):
                        mask = self._mask(tile, mine, rim)
                        covering = (mask > value) | (mask >= RIM)
                        np.copyto(ramp, np.uint8(2 * self._ramp_of[number] + rim), where=covering)
                        np.copyto(value, mask, where=covering)
        return self._lines.png(ramp, value) if value.any() else None

    def _mask(self, tile: Tile, rings: NDArray[np.int64], rim: bool) -> NDArray[np.uint8]:
        """How far up their ramp the outlines are in each px."""
        picture = Picture(tile, mask=True)
        points, starts = self._index.outlines(rings)
        # Halving, so often, loses nothing of a float32.
        on_page: NDArray[np.floating] = points * np.float32(tile.scale)
        if not rim:
            on_page = _large_enough(on_page, starts, self._index.box[rings] * np.float32(tile.scale))
        if rim:
            draw_outlines(picture, on_page, starts, (RIM,), RIM_PX)
        draw_outlines(picture, on_page, starts, (255,), LINE_PX if rim else THIN_PX)
        return picture.inside

    def at(self, l0_x: float, l0_y: float) -> list[Found]:
        """The shapes around a place, the smallest first, with their numbers while the file is as it was."""
        if not np.isfinite((l0_x, l0_y)).all():
            return []
        rings = self._index.within((l0_x, l0_y, l0_x, l0_y))
        points, starts = self._index.outlines(rings)
        parts = np.split(points, starts[1:]) if len(rings) else []
        inside = np.array([_holds(part, l0_x, l0_y) for part in parts], bool)
        lines, holding = np.unique(self._index.line[rings[inside]], return_counts=True)
        # In a hole is in two rings.
        around = [line for line, count in zip(lines.tolist(), holding.tolist(), strict=True) if count % 2]
        outer = [self._outer(rings, parts, inside, line) for line in around]
        outer.sort(key=lambda ring: ring[0])
        return [self._found(line, number, outline) for _, line, number, outline in outer[:MOST_FOUND]]

    def _outer(
        self, rings: NDArray[np.int64], parts: Sequence[NDArray[np.float32]], inside: NDArray[np.bool_], line: int
    ) -> tuple[float, int, int, NDArray[np.float32]]:
        """Area, line, class and outline of the feature's ring that is around the place."""
        mine = [at for at in np.flatnonzero(inside).tolist() if self._index.line[rings[at]] == line]
        largest = max(mine, key=lambda at: _area(parts[at]))
        return _area(parts[largest]), line, int(self._index.of[rings[largest]]), parts[largest]

    def _found(self, line: int, number: int, outline: NDArray[np.float32]) -> Found:
        name, numbers = self._classes[number].name, {}
        try:
            if _version(self._geojson) == self._version is not None:
                properties: dict[str, Any] = feature_at(self._geojson, line)["properties"]
                name, numbers = properties.get("name") or name, dict(properties["measurements"])
        except (OSError, ValueError, KeyError, TypeError):
            # The outline is known all the same.
            numbers = {}
        return Found(str(name), numbers, outline.astype(np.float64).round(2).tolist())


def _large_enough(
    points: NDArray[np.floating], starts: NDArray[np.int64], box: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Outlines in boxes smaller than SMALLEST_PX enlarged about their middles; a point stays one."""
    extent = (box[:, 2:] - box[:, :2]).max(axis=1)
    small = (extent < SMALLEST_PX) & (extent > 0)
    if small.any():
        ring = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(points))))
        mine = np.flatnonzero(small[ring])
        ring = ring[mine]
        middle = (box[ring, :2] + box[ring, 2:]) / 2
        points[mine] = middle + (points[mine] - middle) * (SMALLEST_PX / extent[ring])[:, None]
    return points


def _holds(outline: NDArray[np.float32], x: float, y: float) -> bool:
    """Whether an odd number of its edges lies right of the place."""
    begin = outline.astype(np.float64)
    end = np.roll(begin, -1, axis=0)
    crossing = (begin[:, 1] > y) != (end[:, 1] > y)
    begin, end = begin[crossing], end[crossing]
    at = begin[:, 0] + (y - begin[:, 1]) / (end[:, 1] - begin[:, 1]) * (end[:, 0] - begin[:, 0])
    return bool(np.count_nonzero(at > x) % 2)


def _area(outline: NDArray[np.float32]) -> float:
    x, y = (outline - outline[0]).astype(np.float64).T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def _version(path: Path) -> tuple[int, int, int] | None:
    """Another one whenever the file is replaced."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
