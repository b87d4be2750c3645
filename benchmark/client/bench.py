"""Mpx/s that one core of the client hands to the wire: the slide's own JPEGs, against pixels that OpenSlide reads.

Measured is all that the client does with a tile but learn from its pixels what is tissue: reading, the request, and its
bytes as gRPC sends them. The slide is a real one's tiles repeated to 2 Gpx, in the page cache.
"""

import time
from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from histoserve.benchmark.client.slides import MARGIN_PX, MPP, TILE_PX, large_slide, pixels_of, stored_of, tiles_of
from histoserve.client.slide import Slide
from histoserve.client.travel.block import Block, joined
from histoserve.client.travel.reading import Group, Reader
from histoserve.client.wire import request_of

PIXELS = 2e9
TURNS = 5
PART = 40
"""Of the groups of stored tiles, every so manieth is what a turn reads as pixels, which takes longer."""

BATCHES = (16, 64, 256)
"""Tiles in a request: what nuclei's configs allow, and what others may."""

FASTER, FASTEST, SENT = 6.0, 200.0, 1.15
"""Targets: times OpenSlide's path, Mpx/s, and bytes sent per byte that is stored of what they show."""


def run(image: Path | None = None) -> int:
    """Prints figures of `image`, an SVS in JPEG tiles (default: a phantom); 1 if the client is under its targets.

    How much is sent twice depends on how many tiles a request may have, which a network decides: it is printed, and
    only the largest of `BATCHES` must meet its target.
    """
    with large_slide(image, PIXELS) as slide:
        return report(slide)


def report(slide: Slide) -> int:
    """The same of an open slide, all of it looked at."""
    tiles, pixels = tiles_of(slide), pixels_of(slide)
    with stored_of(slide, *BATCHES) as readers:
        lattice = readers[0].stored.lattice
        held = sum(len(readers[0].stored.jpeg(place)) for place in lattice.places_in((0, 0, *slide.l0_size)))
        groups = [list(reader.groups(tiles)) for reader in readers]
        actions: dict[str, Callable[[], tuple[float, int]]] = {
            f"stored, {batch} tiles a request": partial(handed, reader, some)
            for batch, reader, some in zip(BATCHES, readers, groups, strict=True)
        }
        actions["pixels, by OpenSlide"] = partial(handed, pixels, groups[0][::PART])
        for action in actions.values():
            action()
        turns = [{name: action() for name, action in actions.items()} for _ in range(TURNS)]
    rates = {name: median(turn[name][0] for turn in turns) for name in actions}
    return printed(slide, rates, {name: turns[0][name][1] / held for name in actions})


def handed(reader: Reader, groups: Iterable[Group]) -> tuple[float, int]:
    """Mpx of the slide in a second of the processor, and bytes of all requests."""
    seconds, covered, sent = time.process_time(), 0, 0
    for group in groups:
        blocks = [block for block in reader.read(group) if isinstance(block, Block)]
        for block in [block for block in blocks if block.shared] + in_requests(blocks):
            sent += len(request_of("nuclei_tiles", block.inputs(MPP)).SerializeToString())
            covered += sum(tile.core[2] * tile.core[3] for tile in block.tiles)
    return covered / (time.process_time() - seconds) / 1e6, sent


def in_requests(blocks: Iterable[Block]) -> list[Block]:
    """Tiles that have a picture each, as many as nuclei takes in a request."""
    alone = (block for block in blocks if not block.shared)
    found = []
    while some := list(islice(alone, BATCHES[0])):
        found.append(joined(some))
    return found


def printed(slide: Slide, rates: dict[str, float], sent: dict[str, float]) -> int:
    """The table; 1 if a target is missed."""
    *names, pixels = rates
    table = Table("what", "Mpx/s a core", "times", "bytes sent ÷ stored")
    table.title = (
        f"{slide.l0_size[0] * slide.l0_size[1] / 1e9:.2f} Gpx in JPEG tiles, windows of {TILE_PX} px of which "
        f"{TILE_PX - 2 * MARGIN_PX} count; medians of {TURNS} turns"
    )
    for name, rate in rates.items():
        table.add_row(name, f"{rate:.0f}", f"{rate / rates[pixels]:.1f}", f"{sent[name]:.2f}" if name != pixels else "")
    table.add_row("wanted", f"≥ {FASTEST:.0f}", f"≥ {FASTER:g}", f"≤ {SENT:g}")
    Console().print(table)
    good = all(rates[name] >= max(FASTEST, FASTER * rates[pixels]) for name in names)
    return 0 if good and sent[names[-1]] <= SENT else 1
