"""Two slides become a pair of a training set: registered, cut by the same rule, each IHC tile read."""

import re
import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from histoserve.client.analyze import Watcher
from histoserve.client.errors import HistoserveError, LabelsError, WrongUsage
from histoserve.client.labels.cut import picture_of, tiles_of
from histoserve.client.labels.label import Label, Pair, SlideOf
from histoserve.client.labels.read import TABLE, read_labels
from histoserve.client.labels.record import JOURNAL
from histoserve.client.labels.sheets import write_sheets
from histoserve.client.labels.tiles import Source, record_tiles
from histoserve.client.labels.which import Found, alone, known_pair, new_pair
from histoserve.client.labels.write import finish_pair
from histoserve.client.registration.command import register_files
from histoserve.client.registration.registration import Registration
from histoserve.client.registration.through import read_through
from histoserve.client.registration.written import LAST
from histoserve.client.results.source import source_of
from histoserve.client.slide import Slide, open_slide, printable
from histoserve.client.tile_reading import ReadTile

MARKER = re.compile(r"[a-z][a-z0-9_-]{0,30}")


@dataclass(frozen=True)
class Order:
    """What the user wants."""

    he: Path
    ihc: Path
    out: Path
    """The training set's folder."""
    marker: str
    tile_px: int
    tile_mpp: float
    mpp: float | None = None
    """µm per level-0 px of the H&E, if the user knows better than the file."""
    mpp_ihc: float | None = None
    registration: Path | None = None
    """One made earlier."""


@dataclass(frozen=True)
class Outcome:
    """What became of it."""

    labels: Sequence[Label]
    """Of the pair."""
    unread: int
    """Tiles that could not be read."""
    was_there: bool
    """Whole, so nothing was read."""


Watch = Callable[[], AbstractContextManager[Watcher]]
"""Is told how far it is; anew for each stage, as each takes its own time."""

Reader = Callable[[], AbstractContextManager[ReadTile]]
"""Is opened once there is something to read."""


def label_pair(order: Order, reader: Reader, watch: Watch) -> Outcome:
    """Goes on where an earlier run of the same pair ended. Raises HistoserveError."""
    wanted = _wanted(order)
    if (order.out / TABLE).exists():
        # Before an hour's work: what nobody could add to.
        read_labels(order.out)
    found = known_pair(order.out, wanted)
    was_there, unread = found is not None and found.is_whole, 0
    found = found or new_pair(order.out, wanted)
    with alone(found):
        if not was_there:
            unread = _read_all(order, found, reader, watch)
        finish_pair(order.out, found.pair)
        labels = [label for label in read_labels(order.out) if label.pair == found.pair]
        write_sheets(order.out, labels, found.pair)
    return Outcome(labels, unread, was_there)


def _wanted(order: Order) -> Pair:
    if not MARKER.fullmatch(order.marker):
        raise WrongUsage(f"--marker {order.marker!r} is none: give small letters and digits, as in ki67.")
    he, ihc = (SlideOf(printable(path.name), source_of(path).content) for path in (order.he, order.ihc))
    if he.content == ihc.content:
        raise WrongUsage(f"{he.name} and {ihc.name} are the same slide: give the H&E, then the IHC.")
    return Pair(0, order.marker, he, ihc, order.tile_px, order.tile_mpp)


def _read_all(order: Order, found: Found, reader: Reader, watch: Watch) -> int:
    """How many tiles could not be read."""
    pair, unread = found.pair, 0
    with open_slide(order.he) as he, open_slide(order.ihc) as ihc:
        try:
            with watch() as watcher:
                laid = _registered(order, found, watcher)
                watcher.phase("looking for tissue")
                regions = tiles_of(he, laid.he.mpp, pair.tile_px, pair.mpp)
        except (HistoserveError, KeyboardInterrupt):
            if not (found.place / JOURNAL).exists():
                shutil.rmtree(found.place, ignore_errors=True)
            raise
        with reader() as read, watch() as watcher:
            watcher.phase("reading")
            watcher.planned(len(regions))
            for trouble in record_tiles(pair, found.place, regions, _source(pair, he, ihc, laid, read)):
                watcher.done(1)
                if trouble:
                    unread += 1
                    watcher.say(trouble)
    if unread == len(regions):
        raise LabelsError(f"None of the {unread} tiles of {pair.he.name} and {pair.ihc.name} can be read.")
    return unread


def _registered(order: Order, found: Found, watcher: Watcher) -> Registration:
    """As it stands in the pair's folder; else as given, or made now."""
    place = found.place / LAST
    if not place.exists():
        if order.registration:
            # Whether it is one, and of these slides, is looked at before.
            _check(Registration.load(order.registration), order, found.pair, order.registration)
            shutil.copyfile(order.registration, place)
        else:
            watcher.phase("registering")
            for told in register_files(order.he, order.ihc, found.place, order.mpp, order.mpp_ihc, watcher.phase)[1]:
                watcher.say(told)
    return _check(Registration.load(place), order, found.pair, place)


def _check(registration: Registration, order: Order, pair: Pair, path: Path) -> Registration:
    sections = registration.he, registration.ihc
    if [each.content for each in sections] != [pair.he.content, pair.ihc.content]:
        raise LabelsError(
            f"{printable(path)} is of {sections[0].name} and {sections[1].name}, not of these two slides: leave out "
            "--registration, or give theirs."
        )
    for section, mpp, option in zip(sections, (order.mpp, order.mpp_ihc), ("--mpp", "--mpp-ihc"), strict=True):
        if mpp is not None and abs(mpp - section.mpp) > 1e-9 * mpp:
            raise WrongUsage(
                f"{option} {mpp:g} is not what {printable(path)} was made with ({section.mpp:g}): leave it out, or "
                "remove the registration."
            )
    return registration


def _source(pair: Pair, he: Slide, ihc: Slide, laid: Registration, read: ReadTile) -> Source:
    through = partial(read_through, ihc, laid, size=(pair.tile_px, pair.tile_px))
    return Source(laid, ihc.l0_size, partial(picture_of, he, px=pair.tile_px), through, read)
