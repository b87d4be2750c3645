"""Runs the closed loop, or goes on with it, and prints how good the readings are.

python -m histoserve.benchmark.biomarker.loop -o out/biomarker-loop --models tests/biomarker_models
"""

import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from histoserve.benchmark.biomarker import score
from histoserve.benchmark.biomarker.figures import fails, table
from histoserve.benchmark.biomarker.labels import ReaderOf, label_all, true_cells
from histoserve.benchmark.biomarker.plan import OTHERS, USUAL, Plan, Way
from histoserve.benchmark.biomarker.served import analyse, train_all
from histoserve.benchmark.biomarker.slides import draw_unseen
from histoserve.benchmark.biomarker.true_cells import Reader
from histoserve.client.errors import HistoserveError
from histoserve.client.registration.registration import Registration
from histoserve.client.tile_reading import tile_reader
from histoserve.phantom.biomarker.markers import MARKERS

SIZE, MPP = (7000, 7000), 0.6
"""Of a slide: 17.6 mm², of which 120 tiles and more are tissue. Half as fine as the network, at a third of the cost."""

TRAINING, SCORED = 24, 50

WIDTH = 140

TRIED = "ki67"
"""Of which labels are made in other ways too, if it is among the markers."""

READERS = {"true-cells": "the phantom's own cells", "ihc": "the network that reads IHC tiles, as served"}
"""Of IHC tiles."""


def run(plan: Plan, reader: str, reader_of: ReaderOf, console: Console) -> int:
    """1 if a marker misses what is wanted. Raises HistoserveError, ValueError."""
    say = _timed(console)
    plan.bind()
    ways = [USUAL, *plan.others]
    for way in ways:
        label_all(plan, way, reader_of, say)
        say(f"{way.name}: labelled")
        train_all(plan, way)
        say(f"{way.name}: trained")
    for seed in plan.unseen:
        draw_unseen(plan, seed)
        say(f"unseen slide {seed}: drawn")
    for way in ways:
        analyse(plan, way)
        say(f"{way.name}: analysed")
    return _told(plan, reader, console)


def _told(plan: Plan, reader: str, console: Console) -> int:
    truths, usual = score.truths(plan), {marker: score.readings(plan, USUAL, marker) for marker in plan.markers}
    rows = {
        marker: [
            (f"as served, labels by {reader}", usual[marker]),
            ("the same, mean of all tiles", score.means(plan, marker)),
            ("hand-made features, support vector machine", score.by_hand(plan, marker)),
            *((f"as served, {_said(way)}", score.readings(plan, way, marker)) for way in _tried(plan, marker)),
        ]
        for marker in plan.markers
    }
    console.print(f"{plan.scored} unseen slides; IHC tiles were read by: {READERS[reader]}")
    console.print(table(rows, truths))
    missed = [said for marker in plan.markers if (said := fails(marker, usual[marker], truths[marker]))]
    console.print("\n".join(missed) or "every marker as wanted")
    return 1 if missed else 0


def _tried(plan: Plan, marker: str) -> list[Way]:
    return list(plan.others) if marker == plan.tried else []


def _said(way: Way) -> str:
    return f"labels shifted by {way.shift_um:g} µm" if way.shift_um else "labels of all cells, tumour or not"


def _timed(console: Console) -> Callable[[str], None]:
    begun = time.monotonic()
    return lambda text: console.print(f"{time.monotonic() - begun:6.0f} s  {text}")


def by_network(plan: Plan, way: Way, seed: int, marker: str, laid: Registration) -> Reader:
    """Reads as `histoserve label` does, by a server that is started for each pair."""
    if not way.lesion:
        raise ValueError("the network tells what its lesion region holds alone: labels of all cells need true-cells")
    return tile_reader


def plan_of(said: Namespace) -> Plan:
    """As it was asked for."""
    # What the network cannot give is left out, and shift 0 is the usual way.
    others = tuple(way for way in OTHERS if way.lesion or said.reader == "true-cells")
    markers = tuple(said.markers.split(","))
    training = ["--width", said.width, "--batch", said.batch, "--steps", said.steps]
    return Plan(
        said.folder / said.reader,
        said.models,
        said.training,
        said.scored,
        (said.size, said.size),
        MPP,
        markers=markers,
        tried=TRIED if TRIED in markers else markers[0],
        others=() if said.no_others else others,
        options=[*map(str, training), "--rate", str(said.rate), "--patience", str(said.patience)],
    )


def main(arguments: list[str]) -> int:
    """As `run`."""
    parser = ArgumentParser(prog="loop", description=__doc__)
    parser.add_argument("-o", dest="folder", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True, help="repository with the models of biomarker")
    parser.add_argument("--reader", choices=list(READERS), default="true-cells")
    parser.add_argument("--markers", default=",".join(MARKERS))
    parser.add_argument("--training", type=int, default=TRAINING, help="pairs a marker")
    parser.add_argument("--scored", type=int, default=SCORED, help="unseen slides")
    parser.add_argument("--size", type=int, default=SIZE[0], help="px of a slide's side")
    parser.add_argument("--no-others", action="store_true", help="only labels as they should be")
    parser.add_argument("--width", type=float, default=0.2)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--rate", type=float, default=0.01)
    parser.add_argument("--patience", type=int, default=8)
    said = parser.parse_args(arguments)
    try:
        plan = plan_of(said)
        reader_of = true_cells if said.reader == "true-cells" else by_network
        return run(plan, said.reader, reader_of, Console(width=WIDTH, highlight=False, soft_wrap=True))
    except (HistoserveError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
