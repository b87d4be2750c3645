"""What a tile and a nucleus take of the client's memory; and that the benchmark measures the client itself."""

import csv
import tracemalloc
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from histoserve.benchmark.any_size import bench
from histoserve.benchmark.any_size.constant import MPP, NUCLEI, PIPELINE, Constant
from histoserve.benchmark.any_size.samples import Sample, paces
from histoserve.client.session import Session
from histoserve.client.travel.block import Picture
from histoserve.client.work import work_for

HALF = 4_000
"""Tiles."""

A_TILE, A_NUCLEUS = 80, 110
"""Bytes, at most: while tiles are answered, and while nuclei are sorted."""


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def session_of(tiles: int) -> Session:
    work = work_for(Constant().contract(PIPELINE), MPP, (16 * tiles // 100 + 8, 16 * 100 + 8))
    assert len(work.tiles) == tiles
    return Session(Constant(), work)


def push(session: Session, tiles: Iterator[Any], count: int) -> int:
    """Bytes that are held when they are answered."""
    for tile in islice(tiles, count):
        session.push(Picture(tile, b""))
    session.drain()
    return tracemalloc.get_traced_memory()[0]


def test_a_tile_that_was_answered_takes_few_bytes(traced: None) -> None:
    with session_of(2 * HALF) as session:
        tiles = iter(session.work.tiles)
        before, after = push(session, tiles, HALF), push(session, tiles, HALF)

        assert (after - before) / HALF < A_TILE


def peak_of(tiles: int) -> int:
    """Bytes that are held at most beyond those before, while the nuclei of so many tiles are made the result."""
    with session_of(tiles) as session:
        before = push(session, iter(session.work.tiles), tiles)
        tracemalloc.reset_peak()
        result = session.finish()
        assert result["nuclei"]["count"] == NUCLEI * tiles
        return tracemalloc.get_traced_memory()[1] - before


def test_a_nucleus_takes_few_bytes_while_all_are_sorted(traced: None) -> None:
    assert (peak_of(2 * HALF) - peak_of(HALF)) / (NUCLEI * HALF) < A_NUCLEUS


def test_what_is_written_of_a_nucleus_is_made_when_it_is_written(traced: None) -> None:
    with session_of(2 * HALF) as session:
        before = push(session, iter(session.work.tiles), 2 * HALF)
        session.finish()
        [layer] = session.rows.layers()
        tracemalloc.reset_peak()
        assert sum(1 for _ in layer.each()) == 2 * HALF * NUCLEI  # type: ignore[union-attr]

        # With the places of the outlines, which are a request's.
        assert (tracemalloc.get_traced_memory()[1] - before) / (2 * HALF * NUCLEI) < A_NUCLEUS


def test_the_benchmark_leaves_a_table_and_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("histoserve.benchmark.any_size.samples.EVERY_S", 0.02)
    bench.measure(2_500, tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["memory.csv", "memory.png"]
    rows = list(csv.DictReader((tmp_path / "memory.csv").open()))
    assert {row["phase"] for row in rows} >= {"planning", "analysing", "writing"}
    assert int(rows[-1]["tiles"]) == 2_500
    assert all(float(row["own_mib"]) > 10 for row in rows)


def test_paces_are_those_of_the_parts_of_the_way() -> None:
    samples = [Sample(s, s / 2, "analysing", tiles, 0, 0) for s, tiles in enumerate((0, 10, 10, 30, 40))]

    assert paces(samples) == [(0, 50_000), (10, 25_000), (30, 50_000)]
