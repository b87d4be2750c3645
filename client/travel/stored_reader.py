"""Blocks of tiles that share the slide's own JPEGs; what cannot travel so goes as pixels, and is told.

    tiles ─by neighbours─▶ groups ─▶ stored JPEGs, each once ─▶ Block
                             ╰─ border, damage, another kind of JPEG ─▶ pixels ─▶ a picture for each tile

Exact means: the JPEG decodes to the pixels that OpenSlide shows. Of each kind of JPEG that the slide holds (frame,
sampling, colours) the first tile is compared, and beforehand a sample of all.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from histoserve.client.errors import SlideError
from histoserve.client.formats.jpeg import decoded_jpeg, jpeg_kind
from histoserve.client.grid import PlannedTile, Rectangle
from histoserve.client.slide import Slide
from histoserve.client.stream import FailedTile
from histoserve.client.travel.block import Block, Part
from histoserve.client.travel.neighbours import by_neighbours
from histoserve.client.travel.reading import Group, Pixels
from histoserve.client.travel.stored import NotStored, Place, StoredTiles

SAMPLE = 12
"""Stored tiles, at least, that are compared with what OpenSlide shows before anything is sent."""


class Stored:
    """A `Reader`; several threads may read."""

    def __init__(
        self,
        slide: Slide,
        level: int,
        stored: StoredTiles,
        pixels: Pixels,
        batch: int,
        is_known: Callable[[Rectangle], bool] = lambda core: True,
    ):
        """`pixels` reads what cannot travel as it is stored; `batch`: tiles in a request; `is_known`: whether nothing
        is to be learnt from the pixels of a tile with this core.
        """
        self.stored = stored
        self._slide, self._level, self._lattice = slide, level, stored.lattice
        self._pixels, self._batch, self._is_known = pixels, batch, is_known
        self._lock = threading.Lock()
        self._exact: dict[bytes, bool] = {}
        """Of each kind of JPEG that was met."""
        self._as_pixels: set[int] = set()
        self._why: Counter[str] = Counter()

    def difference(self, tiles: Sequence[PlannedTile]) -> str | None:
        """In words, if one of a sample of the stored tiles that show these is not what OpenSlide shows."""
        for number in range(0, len(tiles), max(1, len(tiles) // SAMPLE)):
            place = next(self._lattice.places_in(tiles[number].region))
            try:
                if self._is_shown(place, self.stored.jpeg(place)) is False:
                    return f"the tile in column {place[0]}, row {place[1]} does not decode to what OpenSlide shows"
            except NotStored:
                continue
        return None

    def told(self) -> str | None:
        """That some tiles were read as pixels, and why; None if all went as they are stored."""
        if not self._why:
            return None
        reasons = "; ".join(f"{count} since {why}" for why, count in sorted(self._why.items()))
        count = sum(self._why.values())
        return f"Of the tiles, {count} were read as pixels, and not sent as they are stored: {reasons}."

    def groups(self, tiles: Group) -> Iterable[Group]:
        """As Reader.groups: each is a request."""
        order = by_neighbours(tiles)
        starts = range(0, len(order), self._batch)
        return ([tiles[i] for i in order[start : start + self._batch].tolist()] for start in starts)

    def read(self, group: Group) -> list[Block | FailedTile]:
        """As Reader.read."""
        jpegs: dict[Place, bytes | NotStored] = {}
        shown, parts, others = [], {}, []
        for tile in group:
            try:
                found = self._parts(tile, jpegs)
            except NotStored as error:
                self._note(tile, str(error))
                found = None
            if found is None:
                others.append(tile)
            else:
                shown.append(tile)
                parts.update(found)
        blocks: list[Block | FailedTile] = [Block(shown, list(parts.values()), shared=True)] if shown else []
        return blocks + self._pixels.read(others)

    def another_way(self, failed: Sequence[FailedTile]) -> list[PlannedTile]:
        """As Reader.another_way: what the server refused as it is stored is sent as pixels."""
        again = [each for each in failed if each.at == "server" and not each.deadly]
        again = [each for each in again if each.tile.index not in self._as_pixels]
        for each in again:
            self._note(each.tile, "the server refused their JPEGs")
        return [each.tile for each in again]

    def _parts(self, tile: PlannedTile, jpegs: dict[Place, bytes | NotStored]) -> dict[Place, Part] | None:
        """None for a tile at the slide's end, or whose pixels are wanted; raises NotStored."""
        sendable = self._lattice.inside(tile.region) and tile.index not in self._as_pixels
        if not (sendable and self._is_known(tile.core)):
            return None
        found = {}
        for place in self._lattice.places_in(tile.region):
            if place not in jpegs:
                jpegs[place] = self._jpeg(place)
            jpeg = jpegs[place]
            if isinstance(jpeg, NotStored):
                raise jpeg
            found[place] = Part(self._lattice.l0_region(place), jpeg)
        return found

    def _jpeg(self, place: Place) -> bytes | NotStored:
        try:
            jpeg = self.stored.jpeg(place)
        except NotStored as error:
            return error
        kind = jpeg_kind(jpeg)
        if kind not in self._exact:
            exact = self._is_shown(place, jpeg)
            if exact is None:
                return NotStored("their JPEGs cannot be decoded without a warning")
            with self._lock:
                self._exact[kind] = exact
        return jpeg if self._exact[kind] else NotStored("their JPEGs are of a kind that OpenSlide shows otherwise")

    def _is_shown(self, place: Place, jpeg: bytes) -> bool | None:
        """Whether the JPEG decodes to what the slide shows in its place; None if one of both cannot be seen."""
        x, y, width, height = self._lattice.l0_region(place)
        inside = min(width, self._slide.l0_size[0] - x), min(height, self._slide.l0_size[1] - y)
        step = self._lattice.downsample
        try:
            decoded = decoded_jpeg(self._slide.name, jpeg)
            shown = self._slide.read((x, y, inside[0] // step * step, inside[1] // step * step), self._level)
        except SlideError:
            return None
        return decoded.shape[:2] == self._lattice.tile[::-1] and np.array_equal(
            decoded[: shown.shape[0], : shown.shape[1]], shown
        )

    def _note(self, tile: PlannedTile, why: str) -> None:
        with self._lock:
            self._as_pixels.add(tile.index)
            self._why[why] += 1
