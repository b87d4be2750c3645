"""A slide from its file to its result.

slide ─▶ tissue ─▶ grid ─▶ stream ⇢ `<pipeline>_tiles` ⇢ rows ─▶ `<pipeline>_slide` ─▶ result folder
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from histoserve.client.connect import Wire
from histoserve.client.contract import Contract
from histoserve.client.encode import Encoding, encode
from histoserve.client.errors import OutputError, Refused, ServerError, SlideError, WrongUsage
from histoserve.client.grid import PlannedTile, grid, tile_size
from histoserve.client.network import OneNetwork
from histoserve.client.pipelines import PipelineRows, rows_of
from histoserve.client.resolution import Resolution, check_network, resolve
from histoserve.client.results.folder import LAST, ResultFolder
from histoserve.client.results.geojson import write_geojson
from histoserve.client.results.overview import LONGEST_PX, Overview
from histoserve.client.results.result_json import (
    client_version,
    describe_models,
    describe_slide,
    describe_tiles,
    write_result,
)
from histoserve.client.results.source import source_of
from histoserve.client.slide import RGB, Slide, open_slide
from histoserve.client.stream import Outcome, Steps, Width, stream
from histoserve.client.survey import Survey, survey_slide
from histoserve.client.tissue import Tissue, find_tissue
from histoserve.client.traffic import Traffic
from histoserve.client.wire import Outputs

REQUEST_BYTES = 16 * 2**20
"""Uncompressed pixels in a request, unless --batch says otherwise: larger ones save nothing and hold up others."""

UNLIMITED_BATCH = 32
"""Tiles in a request where the contract sets no limit."""

READERS = max(1, min(4, os.cpu_count() or 1))
"""Reading is the client's bottleneck; more than four threads wait for the same file."""


PICTURES_BYTES = 32 * 2**20
"""More than the pictures of a result take."""


@dataclass(frozen=True)
class Order:
    """What the user wants."""

    slide: Path
    pipeline: str
    out: Path
    """The result lies in it, in `<slide>/<pipeline>/`."""
    mpp: float | None = None
    """µm/px, if the user knows better than the file."""
    in_flight: int = 4
    batch: int | None = None
    """Tiles in a request; None: as many as the contract allows, within reason."""
    encoding: Encoding = field(default_factory=Encoding)


class Watcher(Protocol):
    """Is told how far an analysis is."""

    def phase(self, text: str) -> None:
        """What is done now."""

    def planned(self, tiles: int) -> None:
        """How many tiles there are to do."""

    def done(self, tiles: int) -> None:
        """How many more are done."""


@dataclass(frozen=True)
class Report:
    """What a finished analysis left."""

    result: dict[str, Any]
    """As in `result.json`."""
    folder: Path
    """Where that lies."""

    @property
    def warnings(self) -> list[str]:
        """What a reader of the result should know, a sentence each."""
        return list(self.result["slide"]["warnings"])

    @property
    def failed(self) -> int:
        """Tiles that could not be analysed."""
        return len(self.result["tiles"]["failed"])


@dataclass(frozen=True)
class Plan:
    """How one slide is analysed."""

    level: int
    """Of the slide, that is read."""
    batch: int
    """Tiles in a request."""
    thumbnail: RGB
    tissue: Tissue
    tiles: list[PlannedTile]
    """Those whose cores hold tissue."""


Look = Callable[[Slide, float, Callable[[str], None]], Survey]
"""Surveys an open slide of so many µm/px; is told whom to tell in words how far it is."""


def look_once(slide: Slide, mpp: float, progress: Callable[[str], None]) -> Survey:
    """As `Look`."""
    return survey_slide(slide, mpp, LONGEST_PX, READERS, progress)


def analyze(
    order: Order, connect: Callable[[], AbstractContextManager[Wire]], watcher: Watcher, look: Look = look_once
) -> Report:
    """Leaves the complete result under `order.out`, or raises HistoserveError and leaves nothing.

    What can be checked at once is checked first: the slide, the folder, the servers, the room. Only then is a result of
    the same slide, that was there, set aside.
    """
    make_rows = rows_of(order.pipeline)
    timings = _Timings(watcher)
    with ExitStack() as stack:
        slide = stack.enter_context(open_slide(order.slide))
        resolution = resolve(slide.name, order.mpp, slide.stated_mpp, slide.objective_power)
        source = source_of(order.slide)
        folder = stack.enter_context(ResultFolder(order.out, source, order.pipeline))
        with timings.phase("connecting"):
            wire = Traffic(stack.enter_context(connect()))
            contract, versions = wire.contract(order.pipeline), wire.versions()
        with timings.phase("planning"):
            survey = partial(look, slide, resolution.mpp, watcher.phase)
            plan = make_plan(order, slide, resolution, contract, survey)
        with _believing(order.pipeline):
            rows = make_rows(contract, resolution.mpp)
        network = OneNetwork(order.pipeline)
        folder.require_room(_room(make_rows, plan, resolution.mpp))
        with _writing(folder.place):
            folder.set_previous_aside()
        watcher.planned(len(plan.tiles))
        with timings.phase("analysing"):
            outcome = _run(order, slide, plan, rows, network, wire, watcher)
            plan.tissue.settle()
        with timings.phase("finishing"), _believing(f"{order.pipeline}_slide"):
            rows.finish(network.telling(wire.infer))
        with timings.phase("writing"), _writing(folder.place), _believing(order.pipeline):
            of = f"{order.pipeline}/{slide.name}"
            write_geojson(folder.path(f"{order.pipeline}.geojson"), of, rows.features(), slide.viewer_origin)
            overview = Overview(plan.thumbnail, slide.l0_size[0])
            overview.edge(plan.tissue.mask, plan.tissue.raster.side)
            rows.draw(overview)
            overview.write(folder.path("overview.png"))
            rows.write_more(slide, folder.path)
        result = {
            "histoserve": client_version(),
            "slide": {**describe_slide(slide, resolution, plan.level), **source.described()},
            "pipeline": {**describe_models(contract, versions), "network": network.identity},
            "encoding": str(order.encoding),
            "tiles": describe_tiles(len(plan.tiles), outcome.sent, outcome.failed),
            "tissue": plan.tissue.describe(),
            "seconds": timings.seconds,
            "transfer": wire.models,
            "servers": wire.record(),
            "files": folder.names(),
            "result": rows.result(_analysed_mm2(plan, outcome)),
        }
        with _writing(folder.place), _believing(order.pipeline):
            write_result(folder.path(LAST), result)
            folder.commit()
    return Report(result, folder.place)


def make_plan(
    order: Order, slide: Slide, resolution: Resolution, contract: Contract, look: Callable[[], Survey]
) -> Plan:
    """Raises SlideError for a slide that the network cannot be used on, WrongUsage for a batch over the contract's."""
    check_network(slide.name, resolution.mpp, contract.mpp)
    level = slide.level_for(contract.mpp / resolution.mpp)
    try:
        unit = slide.unit(level)
        size = tile_size(contract.tile_px, contract.mpp, contract.margin_px, resolution.mpp, unit)
    except ValueError as error:
        raise ServerError(f"The server's pipeline {order.pipeline} cannot be used on {slide.name}: {error}.") from error
    tile_bytes = 3 * (size.side / slide.downsamples[level]) ** 2
    batch = _batch(order.batch, contract.max_batch, tile_bytes)
    survey = look()
    tissue = find_tissue(survey, resolution.mpp)
    tiles = [tile for tile in grid(*slide.l0_size, size) if tissue.in_core(tile.core)]
    return Plan(level, batch, survey.thumbnail, tissue, tiles)


def _run(
    order: Order, slide: Slide, plan: Plan, rows: PipelineRows, network: OneNetwork, wire: Wire, watcher: Watcher
) -> Outcome:
    model = f"{order.pipeline}_tiles"

    def read(tile: PlannedTile) -> bytes:
        pixels = slide.read(tile.region, plan.level)
        plan.tissue.learn(tile.core, tile.region, pixels)
        return encode(pixels, order.encoding)

    def take(tiles: list[PlannedTile], outputs: Outputs) -> None:
        with _believing(model):
            rows.take(tiles, network.check(len(tiles), outputs))

    steps = Steps(
        read=read,
        ask=lambda tiles, images: _finite(model, wire.infer(model, rows.request(tiles, images))),
        take=take,
        progress=watcher.done,
        stop=wire.stop,
    )
    outcome = stream(plan.tiles, steps, Width(plan.batch, order.in_flight, READERS))
    if plan.tiles and not outcome.done:
        raise SlideError(f"None of the {len(plan.tiles)} tiles could be analysed: {outcome.failed[0].reason}")
    return outcome


def _finite(model: str, outputs: Outputs) -> Outputs:
    """Raises Refused for rows with NaN or infinity, so that only their tile is lost."""
    for name, array in outputs.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise Refused(f"{model} answered {name} that is not finite")
    return outputs


@contextmanager
def _believing(model: str) -> Iterator[None]:
    """Whatever an answer that is no answer of this pipeline leads to is the server's fault."""
    try:
        yield
    except (LookupError, TypeError, ValueError, ArithmeticError) as error:
        raise ServerError(
            f"{model} answered something that does not fit ({type(error).__name__}: {error}). "
            "Serve a model repository of this version."
        ) from error


def _room(make_rows: type[PipelineRows], plan: Plan, mpp: float) -> int:
    """Bytes that the result may take: of tissue as dense as there is, and the pictures."""
    mm2 = sum(tile.core[2] * tile.core[3] for tile in plan.tiles) * (mpp / 1000) ** 2
    return PICTURES_BYTES + round(mm2 * make_rows.BYTES_PER_MM2)


def _batch(wanted: int | None, limit: int | None, tile_bytes: float) -> int:
    if not wanted:
        return max(1, min(limit or UNLIMITED_BATCH, int(REQUEST_BYTES / tile_bytes)))
    if limit is not None and wanted > limit:
        raise WrongUsage(f"--batch {wanted} is more than the server takes: its limit is {limit} tiles in a request.")
    return wanted


def _analysed_mm2(plan: Plan, outcome: Outcome) -> float:
    """Tissue in the cores of the tiles that were analysed: what was not seen has no share in a density."""
    failed = {each.tile.index for each in outcome.failed}
    return sum(plan.tissue.mm2(tile.core) for tile in plan.tiles if tile.index not in failed)


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"The result cannot be written to {out}: {error.strerror}. Make room, or give another folder with -o."
        ) from error


class _Timings:
    """Seconds of each phase, in order."""

    def __init__(self, watcher: Watcher):
        self._watcher = watcher
        self.seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        self._watcher.phase(name)
        start = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 3)
