"""Several slides and pipelines in one call, through the command and a real Triton."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from histoserve.client.cli import app
from histoserve.deploy.local.triton import LocalTriton

PIPELINES = ("nuclei", "peakmap")
SEEDS = (1, 2)


def histoserve(*arguments: object) -> tuple[int, str, str]:
    """Exit code and what stood on both outputs."""
    run = CliRunner().invoke(app, [str(each) for each in arguments])
    assert run.exception is None or isinstance(run.exception, SystemExit), run.exception
    return run.exit_code, run.stdout, run.stderr


@pytest.fixture(scope="module")
def slides(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two phantoms and two damaged files."""
    folder = tmp_path_factory.mktemp("slides")
    for seed in SEEDS:
        assert histoserve("phantom", folder / f"{seed}.tiff", "--size", "500x400", "--seed", seed)[0] == 0
    (folder / "empty.svs").write_bytes(b"")
    (folder / "half.tiff").write_bytes((folder / "1.tiff").read_bytes()[:100])
    return folder


@pytest.fixture(scope="module")
def one_call(slides: Path, server: LocalTriton, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    out = tmp_path_factory.mktemp("out")
    options = ["--pipeline", ",".join(PIPELINES), "--server", server.grpc, "--at-once", 3, "-o", out]
    return out, histoserve("analyze", slides, *options)


def results(out: Path) -> dict[str, Any]:
    """All that does not depend on when and how a slide travelled."""
    files = {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*.*")) if path.is_file()}
    passing = ("finished", "seconds", "transfer", "servers")
    return {
        name: {key: each for key, each in json.loads(data).items() if key not in passing}
        if name.endswith("result.json")
        else data
        for name, data in files.items()
        if not name.endswith("summary.csv")
    }


def test_the_results_are_those_of_one_slide_and_pipeline_after_the_other(
    slides: Path, server: LocalTriton, one_call: tuple[Path, Any], tmp_path: Path
) -> None:
    for seed in SEEDS:
        for pipeline in PIPELINES:
            options = ["--pipeline", pipeline, "--server", server.grpc, "-o", tmp_path]
            assert histoserve("analyze", slides / f"{seed}.tiff", *options)[0] == 0

    found = results(one_call[0])
    assert len([name for name in found if name.endswith("result.json")]) == len(SEEDS) * len(PIPELINES)
    assert found == results(tmp_path)


def test_the_call_ends_with_3_a_table_and_a_summary_of_the_same_rows(one_call: tuple[Path, Any]) -> None:
    out, (code, table, complaints) = one_call
    rows = list(csv.DictReader((out / "summary.csv").read_text().splitlines()))

    assert code == 3
    assert [(row["slide"], row["pipeline"]) for row in rows] == [
        (name, pipeline) for name in ("1.tiff", "2.tiff", "empty.svs", "half.tiff") for pipeline in PIPELINES
    ]
    assert [row["state"] for row in rows] == ["complete"] * 4 + ["failed"] * 4
    for row in rows:
        assert " ".join((row["slide"], row["pipeline"])) in " ".join(table.split())
        assert row["result"] in table
        assert row["folder"] in table
    assert re.search(r"empty\.svs, nuclei: .*empty\.svs is empty", complaints)


def test_a_progress_line_comes_each_tenth_where_no_terminal_is(one_call: tuple[Path, Any]) -> None:
    lines = [line for line in one_call[1][2].splitlines() if " %" in line]

    assert len(lines) <= 10
    assert "of 8 done" in lines[-1]
    assert lines[-1].startswith("histoserve: 100 %")


def test_repeated_it_says_that_all_is_there(slides: Path, server: LocalTriton, one_call: tuple[Path, Any]) -> None:
    before = results(one_call[0])
    options = ["--pipeline", ",".join(PIPELINES), "--server", server.grpc, "-o", one_call[0]]
    code, table, _ = histoserve("analyze", slides / "1.tiff", slides / "2.tiff", *options)

    assert code == 0
    assert table.count("(already there)") == 4
    assert results(one_call[0]) == before


def test_quiet_says_only_what_is_wrong(slides: Path, server: LocalTriton, tmp_path: Path) -> None:
    options = ["--pipeline", "nuclei", "--server", server.grpc, "-o", tmp_path, "--quiet"]
    code, table, complaints = histoserve("analyze", slides / "1.tiff", slides / "empty.svs", *options)

    assert (code, table) == (3, "")
    assert re.fullmatch(r"histoserve: empty\.svs, nuclei: .* is empty\. Copy the slide again\.\n", complaints)
