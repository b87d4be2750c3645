"""A slide from its file to its result.

slide ─▶ tissue ─▶ grid ─▶ session ⇢ server ⇢ rows ─▶ result folder
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from histoserve.client.auto_crop import Means, auto_crop
from histoserve.client.connect import Wire
from histoserve.client.contract import Contract
from histoserve.client.covered import covered
from histoserve.client.errors import OutputError, UnreadableRegion
from histoserve.client.grid import Cores
from histoserve.client.pipelines import needs_scale, rows_of
from histoserve.client.plan import Plan, Wanted, make_plan, room_mm2
from histoserve.client.preparation import AS_IT_IS, Preparation
from histoserve.client.prepared import prepared
from histoserve.client.resolution import Resolution, resolve
from histoserve.client.results.files import Findings, write_files
from histoserve.client.results.folder import LAST, ResultFolder
from histoserve.client.results.pictures.overview import LONGEST_PX, Seen
from histoserve.client.results.result_json import (
    SCHEMA,
    client_version,
    describe_models,
    describe_slide,
    describe_tiles,
    now,
    write_result,
)
from histoserve.client.results.source import source_of
from histoserve.client.resume import answers_in, bound_to
from histoserve.client.session import Session, believing
from histoserve.client.slide import RGB, Slide, open_slide
from histoserve.client.survey import Survey, survey_slide
from histoserve.client.traffic import Traffic
from histoserve.client.travel.chosen import travelling
from histoserve.client.travel.encode import Encoding, encode
from histoserve.client.travel.reading import READERS, read_into
from histoserve.client.work import IN_FLIGHT

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
    in_flight: int = IN_FLIGHT
    batch: int | None = None
    """Tiles in a request; None: as many as the contract allows, within reason."""
    encoding: Encoding = field(default_factory=lambda: Encoding("stored"))
    preparation: Preparation = AS_IT_IS
    """What is done to the picture before."""


class Watcher(Protocol):
    """Is told how far an analysis is."""

    def phase(self, text: str) -> None:
        """What is done now."""

    def planned(self, tiles: int) -> None:
        """How many tiles there are to do."""

    def done(self, tiles: int) -> None:
        """How many more are done; fewer than none if some must be done again."""

    def say(self, text: str) -> None:
        """A sentence that the user should read."""


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
    def words(self) -> str:
        """The result in a few words."""
        return rows_of(self.result["pipeline"]["name"]).words(self.result["result"])

    @property
    def failed(self) -> int:
        """Tiles that could not be analysed."""
        return len(self.result["tiles"]["failed"])


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
        stated = slide.stated_mpp, slide.objective_power
        resolution = resolve(slide.name, order.mpp, *stated, needs_scale(order.pipeline))
        source = source_of(order.slide)
        folder = stack.enter_context(ResultFolder(order.out, source, order.pipeline))
        with timings.phase("connecting"):
            wire = Traffic(stack.enter_context(connect()))
            contract, versions = wire.contract(order.pipeline), wire.versions()
        with timings.phase("planning"):
            survey = partial(look, slide, resolution.mpp, watcher.phase)
            means = Means(wire, survey, partial(encode, encoding=order.encoding))
            plan = _planned(order, slide, resolution, contract, means)
        with _writing(folder.place):
            bound = bound_to(source, plan.level, order.encoding, plan.work)
            journal = stack.enter_context(answers_in(folder, bound, watcher.say))
            session = Session(wire, plan.work, journal, watcher)
        folder.require_room(PICTURES_BYTES + round(room_mm2(plan) * make_rows.BYTES_PER_MM2))
        with _writing(folder.place):
            folder.set_previous_aside()
        watcher.planned(len(plan.work.tiles))
        watcher.done(session.resumed)
        with session:
            with timings.phase("analysing"):
                learn_again(session, plan)
                travels = stack.enter_context(travelling(plan, order.encoding))
                read_into(session, travels.reader)
                plan.tissue.settle()
            with timings.phase("finishing"):
                found = session.finish(plan.tissue.mm2)
        with timings.phase("writing"), _writing(folder.place), believing(order.pipeline):
            findings = Findings(order.pipeline, session.rows.words(found), session.rows.layers())
            seen = _seen(slide, plan, plan.thumbnail_of(slide, LONGEST_PX, READERS), resolution.mpp, session)
            write_files(folder.path, slide, seen, findings)
        slide.warnings += [told for told in (plan.warning(), travels.told()) if told]
        result = {
            "schema": SCHEMA,
            "histoserve": client_version(),
            "finished": now(),
            "slide": {**describe_slide(slide, resolution, plan.level), **source.described()},
            "pipeline": {**describe_models(contract, versions), "network": session.network},
            "encoding": str(travels.encoding),
            "preparation": {"asked": order.preparation.described(), **plan.described()},
            "tiles": describe_tiles(plan.work, session.resumed, session.sent, session.failed),
            "tissue": plan.tissue.describe(),
            "seconds": timings.seconds,
            "transfer": wire.models,
            "servers": wire.record(),
            "files": folder.names(),
            "result": found,
        }
        with _writing(folder.place), believing(order.pipeline):
            write_result(folder.path(LAST), result)
            folder.commit()
    return Report(result, folder.place)


def _planned(order: Order, slide: Slide, resolution: Resolution, contract: Contract, means: Means) -> Plan:
    preparation, survey = order.preparation, means.look
    if preparation.crop == "auto":
        crop = auto_crop(slide, resolution, contract, preparation.enlarge, means)
        preparation = replace(preparation, crop=crop)
    picture = prepared(slide, preparation)
    if picture.slide is not slide:
        # Another picture than the slide is surveyed for itself.
        mpp = resolution.mpp / picture.frame.scale
        survey = partial(survey_slide, picture.slide, mpp, LONGEST_PX, READERS)
    return make_plan(picture, Wanted(order.in_flight, order.batch, preparation), resolution, contract, survey)


def learn_again(session: Session, plan: Plan) -> None:
    """What an earlier run learnt of the tissue from tiles that it was answered."""
    try:
        for tile in session.answered:
            if not plan.tissue.is_known(tile.core):
                plan.tissue.learn(tile.core, tile.region, plan.picture.slide.read(tile.region, plan.level))
    except UnreadableRegion as error:
        session.begin_anew(f"the slide can no longer be read where it could ({error})")


def _seen(slide: Slide, plan: Plan, thumbnail: RGB, mpp: float, session: Session) -> Seen:
    """`mpp` is the original's."""
    cores = Cores(session.answered), [failed.tile.core for failed in session.failed]
    seen, not_seen = (covered(plan.picture.frame, each) for each in cores)
    # In the px of a prepared picture.
    tissue = plan.tissue.mask if plan.tissue.is_sought and plan.picture.frame.is_identity else None
    return Seen(thumbnail, slide.l0_size[0], mpp, tissue, plan.tissue.raster.side, seen, not_seen)


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
