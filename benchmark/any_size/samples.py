"""What this process holds and has done, sampled while something runs, as a table and as a picture."""

import csv
import itertools
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path

STATUS = Path("/proc/self/status")
HELD = re.compile(r"^(RssAnon|RssFile):\s+(\d+) kB", re.MULTILINE)
EVERY_S = 0.2


@dataclass(frozen=True)
class Sample:
    """At one moment."""

    seconds: float
    worked: float
    """Seconds of the processor."""
    phase: str
    tiles: int
    """That were answered so far."""
    own_mib: float
    """What the process holds for itself."""
    mapped_mib: float
    """Of files that it looks at: Linux takes that back as it needs it."""


class Sampler:
    """Fits `analyze.Watcher`."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self._phase, self._tiles = "", 0
        self._start = time.perf_counter()

    def phase(self, text: str) -> None:
        """As Watcher.phase, without how far it is."""
        self._phase = text.partition(",")[0]

    def planned(self, tiles: int) -> None:
        """As Watcher.planned."""

    def done(self, tiles: int) -> None:
        """As Watcher.done."""
        self._tiles += tiles

    def say(self, text: str) -> None:
        """As Watcher.say."""
        print(text)

    @contextmanager
    def sampling(self) -> Iterator[None]:
        """During the block."""
        over = threading.Event()

        def sample() -> None:
            while not over.wait(EVERY_S):
                self.samples.append(self._now())

        thread = threading.Thread(target=sample)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _now(self) -> Sample:
        held = {name: int(kib) / 1024 for name, kib in HELD.findall(STATUS.read_text())}
        seconds = time.perf_counter() - self._start
        return Sample(seconds, time.process_time(), self._phase, self._tiles, held["RssAnon"], held["RssFile"])


def write_csv(samples: Sequence[Sample], path: Path) -> None:
    """A line a sample."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Sample)], lineterminator="\n")
        writer.writeheader()
        for sample in samples:
            writer.writerow({name: round(v, 3) if isinstance(v, float) else v for name, v in asdict(sample).items()})


def draw(samples: Sequence[Sample], title: str, path: Path) -> None:
    """Memory over time, by phase, and below it, over the tiles, memory and the processor's time a tile."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (memory, tiles, pace) = pyplot.subplots(3, 1, figsize=(9, 9), layout="constrained")
    phases = list(dict.fromkeys(each.phase for each in samples))
    for phase in phases:
        own = [each for each in samples if each.phase == phase]
        memory.plot([each.seconds for each in own], [each.own_mib for each in own], ".", label=phase or "starting")
    answered = analysing(samples)
    tiles.plot([each.tiles for each in answered], [each.own_mib for each in answered])
    pace.step([tiles for tiles, _ in paces(answered)], [us for _, us in paces(answered)], where="post")
    for axis, x, y in (
        (memory, "s", "MiB of its own"),
        (tiles, "tiles answered", "MiB of its own"),
        (pace, "tiles answered", "µs of the processor a tile"),
    ):
        axis.set_xlabel(x)
        axis.set_ylabel(y)
        axis.set_ylim(bottom=0)
    memory.legend(loc="upper left", fontsize="small")
    memory.set_title(title, fontsize="medium")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def analysing(samples: Sequence[Sample]) -> list[Sample]:
    """Those while tiles were answered."""
    return [each for each in samples if each.phase == "analysing" and each.tiles]


def paces(samples: Sequence[Sample], parts: int = 20) -> list[tuple[int, float]]:
    """(tiles answered before, µs of the processor a tile) in each of so many parts of the way, at most."""
    step = max(1, len(samples) // parts)
    ends = samples[::step]
    return [
        (first.tiles, (last.worked - first.worked) / (last.tiles - first.tiles) * 1e6)
        for first, last in itertools.pairwise(ends)
        if last.tiles > first.tiles
    ]
