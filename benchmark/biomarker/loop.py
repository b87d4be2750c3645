"""Runs the closed loop, or goes on with it, and prints how good the readings are.

python -m histoserve.benchmark.biomarker.loop -o out/biomarker-loop --models tests/biomarker_models
"""

import sys
from argparse import ArgumentParser, Namespace
from functools import partial
from pathlib import Path

from rich.console import Console

from histoserve.benchmark.biomarker import score
from histoserve.benchmark.biomarker.figures import fails, table
from histoserve.benchmark.biomarker.labels import ReaderOf, label_marker, true_cells
from histoserve.benchmark.biomarker.plan import OTHERS, USUAL, Plan, Way
from histoserve.benchmark.biomarker.served import analyse, train_marker
from histoserve.benchmark.biomarker.side_by_side import Say, side_by_side
from histoserve.benchmark.biomarker.slides import draw_he, draw_unseen
from histoserve.benchmark.biomarker.true_cells import Reader
from histoserve.client.errors import HistoserveError
from histoserve.client.registration.registration import Registration
from histoserve.client.tile_reading import tile_reader

SIZE, UNSEEN_SIZE = 2200, 6700
"""Sides of a slide that trains, px, and of one that is scored, of which 120 tiles and more are tissue."""
MPP, IHC_MPP = 0.6, 0.6
"""Half as fine as the network looks, which costs less: the signs of ER, PR and Ki67 were learned no later so."""

TRAINING, SCORED = 36, 50

LEARNS = ("--optimiser", "adamw", "--crop", "256")
"""What a narrow network learns by that starts from nothing, on two cores."""

WIDTH = 140

LEARNED = ("er", "ki67", "her2", "pr", "null")
"""In this order: of nothing ER was learned soonest, in two tries of three."""

TRIED = "ki67"
"""Of which labels are made in other ways too, if it is among the markers."""

READERS = {"true-cells": "the phantom's own cells", "ihc": "the network that reads IHC tiles, as served"}
"""Of IHC tiles."""


def run(plan: Plan, reader: str, reader_of: ReaderOf, console: Console) -> int:
    """1 if a marker misses what is wanted. Raises HistoserveError, ValueError."""
    say = Say()
    plan.bind()
    side_by_side(partial(draw_he, plan), plan.seeds)
    say(f"{len(plan.seeds)} H&E slides: drawn")
    ways = [USUAL, *plan.others]
    for way in ways:
        markers = plan.markers_of(way)
        side_by_side(partial(label_marker, plan, way, reader_of, say), markers)
        say(f"{way.name}: labelled")
        # The first starts from nothing, the others from it: there are no weights of ImageNet here.
        train_marker(plan, way, markers[0])
        side_by_side(partial(train_marker, plan, way), markers[1:])
        say(f"{way.name}: trained")
    side_by_side(partial(draw_unseen, plan), plan.unseen)
    say(f"{plan.scored} unseen slides: drawn")
    for way in ways:
        analyse(plan, way)
        say(f"{way.name}: analysed")
    side_by_side(partial(score.measure, plan), plan.unseen)
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
        (said.unseen_size, said.unseen_size),
        said.mpp,
        said.ihc_mpp,
        markers=markers,
        tried=TRIED if TRIED in markers else markers[0],
        others=() if said.no_others else others,
        options=[*map(str, training), "--rate", str(said.rate), "--patience", str(said.patience), *LEARNS],
    )


def main(arguments: list[str]) -> int:
    """As `run`."""
    parser = ArgumentParser(prog="loop", description=__doc__)
    parser.add_argument("-o", dest="folder", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True, help="repository with the models of biomarker")
    parser.add_argument("--reader", choices=list(READERS), default="true-cells")
    parser.add_argument("--markers", default=",".join(LEARNED), help="the network of the first starts from nothing")
    parser.add_argument("--training", type=int, default=TRAINING, help="pairs a marker")
    parser.add_argument("--scored", type=int, default=SCORED, help="unseen slides")
    parser.add_argument("--size", type=int, default=SIZE, help="px of a training H&E's side")
    parser.add_argument("--unseen-size", type=int, default=UNSEEN_SIZE, help="px of an unseen slide's side")
    parser.add_argument("--mpp", type=float, default=MPP, help="µm per px of the H&E")
    parser.add_argument("--ihc-mpp", type=float, default=IHC_MPP, help="µm per px of the stained slides")
    parser.add_argument("--no-others", action="store_true", help="only labels as they should be")
    parser.add_argument("--width", type=float, default=0.2)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=0.004)
    parser.add_argument("--patience", type=int, default=30)
    said = parser.parse_args(arguments)
    try:
        plan = plan_of(said)
        reader_of = true_cells if said.reader == "true-cells" else by_network
        return run(plan, said.reader, reader_of, Console(width=WIDTH, highlight=False, soft_wrap=True))
    except (HistoserveError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
