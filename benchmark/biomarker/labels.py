"""The training sets of a run: one a way and marker, of all pairs that could be registered."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from histoserve.benchmark.biomarker.plan import Plan, Way
from histoserve.benchmark.biomarker.side_by_side import Say
from histoserve.benchmark.biomarker.slides import draw_ihc, pair_of
from histoserve.benchmark.biomarker.true_cells import Reader, true_reader
from histoserve.client.labels.decide import accept_rest
from histoserve.client.labels.label_pair import Order, label_pair
from histoserve.client.registration.affine import after, moving
from histoserve.client.registration.command import register_files
from histoserve.client.registration.register import NotRegistered
from histoserve.client.registration.registration import Registration
from histoserve.client.registration.written import LAST
from histoserve.export.biomarker.network import MPP, TILE_PX
from histoserve.phantom.ihc.slide import IhcSlide

ReaderOf = Callable[[Plan, Way, int, str, Registration], Reader]
"""Run, way, seed, marker, and how the slides lie → who reads the tiles of the pair."""


def true_cells(plan: Plan, way: Way, seed: int, marker: str, laid: Registration) -> Reader:
    """Reads what the phantom knows: see `true_cells`."""
    drawn = pair_of(plan, seed, marker).second
    assert isinstance(drawn, IhcSlide)
    return lambda: true_reader(plan.he(seed), plan.ihc(seed, marker), laid, drawn, way.lesion)


def label_marker(plan: Plan, way: Way, reader_of: ReaderOf, say: Say, marker: str) -> None:
    """Every tile with a reading is accepted, as no doctor decides about phantoms. Raises HistoserveError.

    What is labelled already is left as it is; pairs that are refused are left out, and told.
    """
    out = plan.labels(way, marker)
    out.mkdir(parents=True, exist_ok=True)
    for seed in plan.seeds:
        draw_ihc(plan, seed, marker)
        path = _registered(plan, seed, marker, say)
        if path is None:
            continue
        laid = Registration.load(path)
        if way.shift_um:
            laid = shifted(laid, way.shift_um)
            path = out / f"registration-{seed}.json"
            path.write_text(json.dumps(laid.described()))
        order = Order(plan.he(seed), plan.ihc(seed, marker), out, marker, TILE_PX, MPP, registration=path)
        outcome = label_pair(order, reader_of(plan, way, seed, marker, laid), _unwatched)
        if not outcome.was_there:
            usable = sum(label.tile.reading is not None for label in outcome.labels)
            say(f"{way.name}, {marker}, pair {seed}: {usable} of {len(outcome.labels)} tiles have a reading")
    accept_rest(out)


def _registered(plan: Plan, seed: int, marker: str, say: Say) -> Path | None:
    """Where the registration lies; None if the pair is refused."""
    folder = plan.folder / "registrations" / f"{seed}-{marker}"
    refused = folder / "refused.txt"
    if not (folder / LAST).exists() and not refused.exists():
        try:
            register_files(plan.he(seed), plan.ihc(seed, marker), folder)
        except NotRegistered as error:
            folder.mkdir(parents=True, exist_ok=True)
            refused.write_text(str(error))
    if refused.exists():
        say(f"{marker}, pair {seed} is left out: {refused.read_text()}")
        return None
    return folder / LAST


def shifted(laid: Registration, um: float) -> Registration:
    """The IHC is read that much to the right of where it was found; the patches still say that it fits."""
    return replace(laid, matrix=after(moving((um / laid.ihc.mpp, 0.0)), laid.matrix))


class _Unwatched:
    """As `Watcher`: nobody looks."""

    def phase(self, text: str) -> None:
        pass

    def planned(self, tiles: int) -> None:
        pass

    def done(self, tiles: int) -> None:
        pass

    def say(self, text: str) -> None:
        pass


@contextmanager
def _unwatched() -> Iterator[_Unwatched]:
    yield _Unwatched()
