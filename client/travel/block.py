"""What travels in one request: windows, and the pictures that show them.

A window is shown by one picture of its own, or by all the pictures that lie in it, which its neighbours share.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from histoserve.client.grid import PlannedTile, Rectangle
from histoserve.client.wire import Arrays


class Picture(NamedTuple):
    """What a tile shows, as it travels."""

    tile: PlannedTile
    image: bytes
    """Encoded: JPEG, PNG or PPM."""


class Part(NamedTuple):
    """A picture of some place of the slide, such as a tile that the scanner's software stored."""

    l0_region: Rectangle
    """What it shows."""
    image: bytes
    """Encoded: JPEG, PNG or PPM."""


@dataclass(frozen=True)
class Block:
    """The tiles of one request, in its order."""

    tiles: Sequence[PlannedTile]
    parts: Sequence[Part]
    shared: bool = False
    """Whether one picture may show several tiles; else each tile has its own, in the same order."""

    def inputs(self, mpp: float) -> Arrays:
        """Those of `<pipeline>_tiles` that every pipeline takes; `mpp`: µm per level-0 px."""
        return {
            "TILE": [part.image for part in self.parts],
            "REGION": np.array([part.l0_region for part in self.parts], np.float32),
            "WINDOW": np.array([tile.region for tile in self.tiles], np.float32),
            "MPP": np.array([mpp], np.float32),
        }

    def singles(self) -> Iterator["Block"]:
        """A block for each tile, with what shows it and nothing else."""
        return (self.only([tile]) for tile in self.tiles)

    def only(self, tiles: Sequence[PlannedTile]) -> "Block":
        """Those of its tiles."""
        if not self.shared:
            part_of = {tile.index: part for tile, part in zip(self.tiles, self.parts, strict=True)}
            return Block(tiles, [part_of[tile.index] for tile in tiles])
        near = [part for part in self.parts if any(overlap(part.l0_region, tile.region) for tile in tiles)]
        return Block(tiles, near, shared=True)


def block_of(pictures: Iterable[Picture]) -> Block:
    """Of tiles that have a picture each."""
    tiles, images = zip(*pictures, strict=True)
    return Block(tiles, [Part(tile.region, image) for tile, image in zip(tiles, images, strict=True)])


def joined(blocks: Sequence[Block]) -> Block:
    """One block of several that share nothing."""
    if len(blocks) == 1:
        return blocks[0]
    return Block([tile for each in blocks for tile in each.tiles], [part for each in blocks for part in each.parts])


def overlap(one: Rectangle, other: Rectangle) -> bool:
    """Whether they have a pixel in common."""
    return all(one[axis] < other[axis] + other[axis + 2] and other[axis] < one[axis] + one[axis + 2] for axis in (0, 1))
