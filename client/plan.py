"""How one slide is analysed: the picture that is read, its level, what of it is tissue, and its tiles."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from histoserve.client.contract import Contract
from histoserve.client.errors import ServerError, WrongUsage
from histoserve.client.grid import TileSize, grid, tile_size
from histoserve.client.preparation import Preparation
from histoserve.client.prepared import Prepared
from histoserve.client.regions import region_side
from histoserve.client.resolution import Resolution, check_network, no_scale
from histoserve.client.slide import RGB, Slide
from histoserve.client.stream import Width
from histoserve.client.survey import Survey
from histoserve.client.thumbnail import thumbnail_of
from histoserve.client.tissue import Tissue, all_of, find_tissue
from histoserve.client.work import STORED_PART, Work, batch_for

UNSEEN = 0.01
"""Part of the tissue that may be unseen without a word."""


@dataclass(frozen=True)
class Wanted:
    """What the user may choose of it."""

    in_flight: int
    batch: int | None
    """Tiles in a request; None: as many as the contract allows, within reason."""
    preparation: Preparation


@dataclass(frozen=True)
class Plan:
    """Of one picture."""

    picture: Prepared
    level: int
    """Of the picture, that is read."""
    tissue: Tissue
    work: Work
    """The tiles whose cores hold tissue."""
    survey: Survey | None
    """Of the picture, where tissue was sought."""
    left_over: tuple[int, int]
    """Px of the picture on the right and below that are no region's: what whole regions leave."""
    stored_batch: int
    """Tiles in a request that share the slide's own JPEGs."""

    def described(self) -> dict[str, Any]:
        """What was done to the picture, in `result.json`."""
        return {**self.picture.described(), "left_over": list(self.left_over)}

    def warning(self) -> str | None:
        """That tissue lies where the border would cut a tile, so that no tile shows it; None for hardly any."""
        if not (self.work.contract.whole_tiles and self.tissue.is_sought):
            return None
        mm2 = self.tissue.mm2((0, 0, *self.picture.slide.l0_size))
        unseen = mm2 - sum(self.tissue.mm2(tile.core) for tile in self.work.tiles)
        if unseen <= UNSEEN * mm2:
            return None
        return (
            f"{unseen:.2g} of {mm2:.2g} mm² of tissue were not looked at: tiles that the border would cut are left out."
        )

    def thumbnail_of(self, slide: Slide, longest: int, threads: int) -> RGB:
        """The whole original, its longer side at most `longest` px; raises SlideError if nothing can be read."""
        if self.survey is not None and slide is self.picture.slide:
            return self.survey.thumbnail
        return thumbnail_of(slide, longest, threads)


def make_plan(
    picture: Prepared, wanted: Wanted, resolution: Resolution, contract: Contract, look: Callable[[], Survey]
) -> Plan:
    """`resolution` is the original's; `look` surveys the picture.

    Raises SlideError for a slide that the network cannot be used on, WrongUsage for a batch over the contract's.
    """
    slide, mpp = picture.slide, resolution.mpp / picture.frame.scale
    if not (contract.any_scale or resolution.known):
        raise no_scale(slide.name)
    survey = None
    if contract.any_scale and (not resolution.known or wanted.preparation.regions):
        # What is dark or white is not known to be glass, so that no region is left out.
        side = region_side(slide.name, slide.l0_size, contract.tile_px, wanted.preparation.regions)
        size, level, tissue = TileSize(side, 0), slide.level_for(side / contract.tile_px), all_of(slide.l0_size, mpp)
    else:
        size, level = _size_and_level(slide, resolution, contract)
        survey = look()
        tissue = find_tissue(survey, mpp)
    tile_bytes = 3 * (size.side / slide.downsamples[level]) ** 2
    width = Width(_batch(wanted.batch, contract, tile_bytes), wanted.in_flight)
    stored_batch = _batch(wanted.batch, contract, tile_bytes * STORED_PART)
    planned = grid(*slide.l0_size, size, contract.whole_tiles)
    tiles = planned.where(lambda tile: tissue.in_core(tile.core) and picture.shows(tile.core))
    return Plan(
        picture,
        level,
        tissue,
        Work(contract, mpp, tiles, width, picture.frame),
        survey,
        _left_over(slide, size, contract),
        stored_batch,
    )


def _left_over(slide: Slide, size: TileSize, contract: Contract) -> tuple[int, int]:
    if not contract.whole_tiles:
        return 0, 0
    return slide.l0_size[0] % size.step, slide.l0_size[1] % size.step


def _size_and_level(slide: Slide, resolution: Resolution, contract: Contract) -> tuple[TileSize, int]:
    """By the original's µm per pixel: what is enlarged shows less in a tile."""
    check_network(slide.name, resolution.mpp, contract.mpp)
    level = slide.level_for(contract.mpp / resolution.mpp)
    try:
        unit = slide.unit(level)
        return tile_size(contract.tile_px, contract.mpp, contract.margin_px, resolution.mpp, unit), level
    except ValueError as error:
        raise ServerError(
            f"The server's pipeline {contract.pipeline} cannot be used on {slide.name}: {error}."
        ) from error


def room_mm2(plan: Plan) -> float:
    """Of all cores; 0 where µm are not known."""
    mpp = plan.work.mpp
    return 0.0 if math.isnan(mpp) else sum(t.core[2] * t.core[3] for t in plan.work.tiles) * (mpp / 1000) ** 2


def _batch(wanted: int | None, contract: Contract, tile_bytes: float) -> int:
    limit = contract.max_batch
    if not wanted:
        return batch_for(contract, tile_bytes)
    if limit is not None and wanted > limit:
        raise WrongUsage(f"--batch {wanted} is more than the server takes: its limit is {limit} tiles in a request.")
    return wanted
