"""A slide that is still being scanned: its JPEG tiles come in any order, windows go out when all of theirs are there.

    hand_over(place, jpeg) ─▶ kept in a file ─▶ windows that are whole ─▶ blocks ⇢ session ⇢ rows
                                ╰─ another picture of a known place (a strip was scanned again) ─▶ rows are taken back

What was handed over is kept until the end, in a temporary file: a window that must be asked for anew needs it again.
"""

import tempfile
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import numpy as np

from histoserve.client.formats.jpeg import decoded_jpeg
from histoserve.client.grid import PlannedTile, Rectangle
from histoserve.client.session import Session
from histoserve.client.slide import RGB
from histoserve.client.travel.block import Block, Part, Picture, block_of
from histoserve.client.travel.encode import Encoding, encode
from histoserve.client.travel.neighbours import by_neighbours
from histoserve.client.travel.stored import Lattice, Place

WHITE = 255


class Scan:
    """What a scanner hands over of one level; to be left as a block. Used by one thread."""

    def __init__(self, session: Session, lattice: Lattice):
        self._session, self._lattice = session, lattice
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        self._kept: dict[Place, tuple[int, int]] = {}
        """Where in the file a tile's JPEG lies, and its length."""
        self._waited_for: dict[int, int] = {}
        """By the index of a window, how many of its tiles did not come so far."""
        self._windows: dict[Place, list[PlannedTile]] = {}
        for tile in session.work.tiles:
            places = list(lattice.places_in(tile.region))
            self._waited_for[tile.index] = len(places)
            for place in places:
                self._windows.setdefault(place, []).append(tile)
        self._ready: list[PlannedTile] = []

    def hand_over(self, place: Place, jpeg: bytes) -> None:
        """A tile as it is stored, whole and alone; the same once more changes nothing, another replaces it.

        Raises ValueError for a place that is none, and what `Session.push` does.
        """
        if not (0 <= place[0] < self._lattice.columns and 0 <= place[1] < self._lattice.rows):
            raise ValueError(
                f"column {place[0]}, row {place[1]} is none of {self._lattice.columns} × {self._lattice.rows} tiles"
            )
        known = place in self._kept
        if known and self._jpeg(place) == jpeg:
            return
        start = self._file.seek(0, 2)
        self._file.write(jpeg)
        windows = self._windows.get(place, [])
        if known:
            again = self._session.take_back(windows)
            self._kept[place] = start, len(jpeg)
            waiting = {tile.index for tile in self._ready}
            self._ready += [tile for tile in again if tile.index not in waiting]
        else:
            self._kept[place] = start, len(jpeg)
            for tile in windows:
                self._waited_for[tile.index] -= 1
            self._ready += [tile for tile in windows if not self._waited_for[tile.index]]
        # Servers that have nothing to do need not wait until a request is full.
        self._send(1 if self._session.idle else self._session.work.width.batch)

    def finish(self) -> dict[str, Any]:
        """The result of all windows whose tiles came; what is missing then was never scanned."""
        self._send(1)
        return self._session.finish()

    def partial(self) -> dict[str, Any]:
        """The result of what was answered so far."""
        return self._session.partial()

    def missing(self) -> list[Place]:
        """Tiles that did not come so far, by rows."""
        return [place for place in self._lattice.places_in(self._whole()) if place not in self._kept]

    def __enter__(self) -> "Scan":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def _whole(self) -> Rectangle:
        width, height = (each * self._lattice.downsample for each in self._lattice.size)
        return 0, 0, width, height

    def _send(self, least: int) -> None:
        """What is ready, if that is so much; of more than one no request that is not full."""
        if len(self._ready) < least:
            return
        batch = self._session.work.width.batch
        ordered = [self._ready[i] for i in by_neighbours(self._ready).tolist()]
        whole = len(ordered) - len(ordered) % batch if least > 1 else len(ordered)
        self._ready = ordered[whole:]
        for start in range(0, whole, batch):
            self._push(ordered[start : start + batch])

    def _push(self, tiles: Sequence[PlannedTile]) -> None:
        shared = [tile for tile in tiles if self._lattice.inside(tile.region)]
        places = sorted({place for tile in shared for place in self._lattice.places_in(tile.region)})
        if shared:
            parts = [Part(self._lattice.l0_region(place), self._jpeg(place)) for place in places]
            self._session.push_block(Block(shared, parts, shared=True))
        for tile in tiles:
            if not self._lattice.inside(tile.region):
                self._session.push_block(block_of([Picture(tile, encode(self._pixels(tile), Encoding()))]))

    def _pixels(self, tile: PlannedTile) -> RGB:
        """Of a window that exceeds the slide: there its last tiles are padded, and the slide is white."""
        x, y, width, height = (round(each / self._lattice.downsample) for each in tile.region)
        (l_width, l_height), window = self._lattice.size, np.full((height, width, 3), WHITE, np.uint8)
        for place in self._lattice.places_in(tile.region):
            left, top = (place[axis] * self._lattice.tile[axis] for axis in (0, 1))
            inside = decoded_jpeg("a tile", self._jpeg(place))[: l_height - top, : l_width - left]
            row, column = max(0, top - y), max(0, left - x)
            part = inside[row + y - top :, column + x - left :][: height - row, : width - column]
            window[row : row + part.shape[0], column : column + part.shape[1]] = part
        return window

    def _jpeg(self, place: Place) -> bytes:
        start, length = self._kept[place]
        self._file.seek(start)
        return self._file.read(length)
