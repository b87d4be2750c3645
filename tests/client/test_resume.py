"""A run that was stopped goes on from its journal and ends with the same bytes; or it starts afresh, and says so."""

import json
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from histoserve.client import analyze as analyze_module
from histoserve.client.analyze import Order, Report, analyze
from histoserve.client.errors import OutputError, Refused, ServerError, UnreadableRegion
from histoserve.client.grid import TileSize, grid
from histoserve.client.resume import digest_of
from histoserve.client.travel.encode import Encoding

TILES = 54


class Sentences:
    """A watcher that keeps what was said, and the count."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.finished = 0

    def phase(self, text: str) -> None: ...

    def planned(self, tiles: int) -> None: ...

    def done(self, tiles: int) -> None:
        self.finished += tiles

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture
def order(slide_path: Path, tmp_path: Path) -> Order:
    return Order(slide_path, "nuclei", tmp_path / "out", mpp=0.25, batch=1, in_flight=1)


def run(order: Order, wire: Any) -> tuple[Report, Sentences]:
    watcher = Sentences()
    return analyze(order, lambda: nullcontext(wire), watcher), watcher


def geojson(order: Order) -> bytes:
    return (order.out / "discs/nuclei/nuclei.geojson").read_bytes()


def decided(report: Report) -> dict[str, Any]:
    """What must not depend on how often the run was stopped."""
    own = {name: report.result[name] for name in ("result", "tissue", "slide", "encoding", "files")}
    return {**own, "failed": report.result["tiles"]["failed"], "network": report.result["pipeline"]["network"]}


def journal(order: Order) -> Path:
    [path] = order.out.glob("discs/.unfinished-nuclei-*/journal")
    return path


def stopping(at: int) -> Callable[[Any], None]:
    """Ctrl-C at a request's number."""
    calls = iter(range(10**6))

    def before(regions: Any) -> None:
        if next(calls) == at:
            raise KeyboardInterrupt

    return before


def stop(order: Order, wire: Any) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(order, wire)


@pytest.fixture
def undisturbed(order: Order, disc_wire: Any) -> tuple[bytes, dict[str, Any]]:
    other = replace(order, out=order.out.with_name("undisturbed"))
    report, _ = run(other, disc_wire())
    return geojson(other), decided(report)


def test_two_stops_cost_no_tile_that_was_answered(order: Order, disc_wire: Any, undisturbed: Any) -> None:
    wires = [disc_wire(stopping(18)), disc_wire(stopping(7)), disc_wire()]
    stop(order, wires[0])
    stop(replace(order, batch=3), wires[1])
    report, watcher = run(replace(order, in_flight=3), wires[2])

    assert (geojson(order), decided(report)) == undisturbed
    tiles = report.result["tiles"]
    assert (tiles["planned"], tiles["resumed"] + tiles["sent"], watcher.finished) == (TILES, TILES, TILES)
    assert sum(sum(wire.requests) for wire in wires) == TILES
    assert watcher.said == []


def test_a_run_stopped_while_writing_asks_for_one_tile_only(
    order: Order, disc_wire: Any, undisturbed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = analyze_module.write_result
    monkeypatch.setattr(analyze_module, "write_result", lambda *_: stopping(0)(None))
    stop(order, disc_wire())
    monkeypatch.setattr(analyze_module, "write_result", write)
    wire = disc_wire()
    report, _ = run(order, wire)

    assert (geojson(order), decided(report), wire.requests) == (*undisturbed, [1])
    assert sorted(path.name for path in order.out.glob("discs/**/*")) == sorted(
        ["nuclei", *report.result["files"], "result.json"]
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda order, wire: (replace(order, mpp=0.26), wire()), "the µm per pixel"),
        (lambda order, wire: (replace(order, encoding=Encoding("jpeg", 95)), wire()), "the encoding changed"),
        (lambda order, wire: (order, wire(network=lambda request: 8)), "another network"),
        (lambda order, wire: (_touched(order), wire()), "the slide's time of change changed"),
    ],
)
def test_what_changed_starts_afresh_and_is_said(order: Order, disc_wire: Any, change: Any, words: str) -> None:
    stop(order, disc_wire(stopping(30)))
    order, wire = change(order, disc_wire)
    report, watcher = run(order, wire)
    other = replace(order, out=order.out.with_name("fresh"))
    fresh, _ = run(other, replace(wire, requests=[]))

    assert [words in sentence for sentence in watcher.said] == [True]
    assert (geojson(order), decided(report), report.result["tiles"]["resumed"]) == (geojson(other), decided(fresh), 0)


def _touched(order: Order) -> Order:
    order.slide.write_bytes(order.slide.read_bytes())
    return order


def test_another_contract_starts_afresh(order: Order, disc_wire: Any, contract: Any) -> None:
    stop(order, disc_wire(stopping(30)))
    _, watcher = run(order, disc_wire(settings=contract(threshold="0.7", intra_op_thread_count="3")))

    assert watcher.said == [
        "An earlier run that did not finish is not gone on with: the pipeline's parameters changed."
    ]


def test_how_fast_a_server_runs_is_no_other_contract(order: Order, disc_wire: Any, contract: Any) -> None:
    stop(order, disc_wire(stopping(30)))
    other = replace(contract(intra_op_thread_count="3"), max_batch=2)
    report, _ = run(order, disc_wire(settings=other))

    assert report.result["tiles"]["resumed"] == 30


def test_a_tile_that_failed_is_tried_again(order: Order, disc_wire: Any, undisturbed: Any) -> None:
    interrupt = stopping(30)

    def refuse(regions: Any) -> None:
        interrupt(regions)
        if (regions[:, :2] == (32, 32)).all(axis=1).any():
            raise Refused("no image")

    stop(order, disc_wire(refuse))
    report, _ = run(order, disc_wire())

    assert (geojson(order), decided(report)) == undisturbed


@pytest.mark.parametrize("share", [0, 0.001, 0.3, 0.999])
def test_a_journal_that_lost_its_end_never_gives_another_result(
    order: Order, disc_wire: Any, undisturbed: Any, share: float
) -> None:
    stop(order, disc_wire(stopping(50)))
    whole = journal(order).read_bytes()
    kept = int(share * len(whole))
    journal(order).write_bytes(whole[:kept] + bytes(len(whole) - kept))
    report, watcher = run(replace(order, batch=4), disc_wire())

    assert (geojson(order), decided(report)) == undisturbed
    assert (report.result["tiles"]["resumed"] > 0, watcher.said == []) == (share > 0.1, share > 0.1)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """As a full disk; whoever prints must not do it meanwhile."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("size", [100, 5_000, 20_000, 40_000])
def test_a_full_disk_is_told_and_then_gone_on_from(order: Order, disc_wire: Any, undisturbed: Any, size: int) -> None:
    error = None
    with largest_file(size):
        try:
            run(order, disc_wire())
        except OutputError as caught:
            error = caught
    report, _ = run(order, disc_wire())

    assert "File too large" in str(error)
    assert ("The same command goes on" in str(error)) == (report.result["tiles"]["resumed"] > 0) == (size > 2_000)
    assert (geojson(order), decided(report)) == undisturbed


def test_two_runs_at_once_do_not_share_a_journal(order: Order, disc_wire: Any, undisturbed: Any) -> None:
    stop(order, disc_wire(stopping(20)))
    reports = []

    def meanwhile(regions: Any) -> None:
        if not reports:
            reports.append(run(order, disc_wire())[0])

    slow, _ = run(order, disc_wire(meanwhile))

    assert [slow.result["tiles"]["resumed"], reports[0].result["tiles"]["resumed"]] == [20, 0]
    assert (geojson(order), decided(slow), decided(reports[0])) == (*undisturbed, undisturbed[1])


@pytest.mark.parametrize("readable_again", [True, False])
def test_what_was_learnt_of_the_tissue_is_learnt_again(
    order: Order, disc_wire: Any, monkeypatch: pytest.MonkeyPatch, readable_again: bool
) -> None:
    opened, broken = analyze_module.open_slide, [False]

    def fail(*_: Any) -> Any:
        raise UnreadableRegion("bogus marker")

    def open_damaged(path: Path) -> Any:
        slide = opened(path)
        read = slide.read
        # A corner that tiles can be read from, but nothing larger; later perhaps not even those.
        least = 64 if broken[0] else 65
        slide.read = lambda region, level: (
            fail() if max(region[2:]) >= least and max(region[:2]) < 64 else read(region, level)
        )
        return slide

    monkeypatch.setattr(analyze_module, "open_slide", open_damaged)
    stop(order, disc_wire(stopping(30)))
    broken[0] = not readable_again
    report, watcher = run(order, disc_wire())
    whole, _ = run(replace(order, out=order.out.with_name("whole")), disc_wire())

    assert decided(report) == decided(whole)
    assert ("no longer" in " ".join(watcher.said)) != readable_again


def test_a_server_that_fails_on_everything_after_a_stop_is_given_up(order: Order, disc_wire: Any) -> None:
    def refuse(regions: Any) -> None:
        raise Refused("no image")

    stop(order, disc_wire(stopping(10)))
    wire = disc_wire(refuse)
    with pytest.raises(ServerError, match="no image"):
        run(order, wire)

    assert run(order, disc_wire())[0].result["tiles"]["resumed"] == 10


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_digest_of_tiles_is_that_of_their_json(count: int) -> None:
    tiles = list(grid(9, 9, TileSize(3, 0)))[:count]
    text = json.dumps([(tile.index, tile.region, tile.core) for tile in tiles])

    assert digest_of(tiles) == sha256(text.encode()).hexdigest()
