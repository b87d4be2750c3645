"""What a session is there for: the tiles of a slide, the pipeline's contract, and how much is done at once."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from histoserve.client.contract import Contract
from histoserve.client.frame import ORIGINAL, Frame
from histoserve.client.grid import PlannedTile, TileSize, grid, tile_size
from histoserve.client.regions import region_side
from histoserve.client.stream import Width

REQUEST_BYTES = 16 * 2**20
"""Uncompressed pixels in a request, unless told otherwise: larger ones save nothing and hold up others."""

STORED_PART = 1 / 8
"""Of pixels' bytes, that the JPEGs of a slide take, at most: seen are 0.07 (quality 70) to 0.1."""

UNLIMITED_BATCH = 32
"""Tiles in a request where the contract sets no limit."""

IN_FLIGHT = 4
"""Requests at a time: some are computed while others travel."""


@dataclass(frozen=True)
class Work:
    """What a session is there for."""

    contract: Contract
    """Of the pipeline."""
    mpp: float
    """µm per level-0 px of the slide, NaN where that is not known."""
    tiles: Sequence[PlannedTile]
    """All that may be pushed; those of a grid are made as they are asked for, however many they are."""
    width: Width
    frame: Frame = ORIGINAL
    """Where the picture whose tiles they are lies in the slide."""


def work_for(contract: Contract, mpp: float, l0_size: tuple[int, int], in_flight: int = IN_FLIGHT) -> Work:
    """All tiles of a slide of (width, height) px; `mpp` NaN where that is not known and the pipeline needs none.

    Raises ValueError if the pipeline cannot be used at this `mpp`.
    """
    if contract.any_scale and math.isnan(mpp):
        size = TileSize(region_side("the picture", l0_size, contract.tile_px, None), 0)
    else:
        size = tile_size(contract.tile_px, contract.mpp, contract.margin_px, mpp)
    batch = batch_for(contract, 3 * size.side**2)
    return Work(contract, mpp, grid(*l0_size, size, contract.whole_tiles), Width(batch, in_flight))


def batch_for(contract: Contract, tile_bytes: float) -> int:
    """Tiles in a request: as many as the contract allows, within reason."""
    return max(1, min(contract.max_batch or UNLIMITED_BATCH, int(REQUEST_BYTES / tile_bytes)))
