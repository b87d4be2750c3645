"""Odd slides through the whole product: what comes out of each is right, or a refusal that names the property.

A row of the table is a file of `inputs/odd_slides.py`; what is right for it stands in the README beside that script.
"""

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from histoserve.client.cli import app
from histoserve.deploy.local.triton import LocalTriton

NUCLEI = 270
"""On `he.tiff`, which most of the files show."""

COMPLETE, FAILED = 0, 1


@dataclass(frozen=True)
class Odd:
    """What is to come out of a file."""

    file: str
    options: tuple[str, ...] = ()
    exit_code: int = COMPLETE
    nuclei: int | tuple[int, int] | None = NUCLEI
    """A count, or the least and the most where pixels differ from `he.tiff`."""
    words: str = ""
    """On the standard error, a regular expression."""


PLAIN = ("--mpp", "0.25")
JPEG = (260, 280)
"""Coded a second time."""

SLIDES = [
    Odd("a.scn", nuclei=JPEG),
    Odd("b.tif", nuclei=JPEG, words=r"Level 1 \(3072×1024\) is not used"),
    Odd("d3.tif", nuclei=JPEG, words="number 2"),
    Odd("f.tif", PLAIN),
    Odd("g1.tif", PLAIN, nuclei=JPEG, words="orientation 3"),
    Odd("g2.tif", nuclei=JPEG, words="orientation 3"),
    Odd("o.svs", nuclei=(250, 290), words="0.2339 µm/px.*20×"),
    Odd("p.tif", PLAIN),
    Odd("q3.ome.tif"),
    Odd("e.tif", exit_code=FAILED, nuclei=None, words="16 bits of which 12 are used"),
]


def analyze(slide: Path, out: Path, server: LocalTriton, *options: str) -> tuple[int, str]:
    command = ["analyze", str(slide), "--pipeline", "nuclei", "--server", server.grpc, "-o", str(out), *options]
    run = CliRunner().invoke(app, command)
    assert run.exception is None or isinstance(run.exception, SystemExit), run.exception
    return run.exit_code, re.sub(r"\s+", " ", run.stderr)


def result_of(out: Path) -> dict[str, Any]:
    """Wherever in `out` it lies."""
    (path,) = out.rglob("result.json")
    result: dict[str, Any] = json.loads(path.read_text())
    return result


@pytest.mark.parametrize("row", SLIDES, ids=lambda row: row.file)
def test_an_odd_slide_comes_out_right(row: Odd, odd: Path, server: LocalTriton, tmp_path: Path) -> None:
    code, message = analyze(odd / row.file, tmp_path / "out", server, *row.options)

    assert code == row.exit_code, message
    assert re.search(row.words, message), message
    if row.nuclei is None:
        assert not list(tmp_path.rglob("result.json"))
    else:
        least, most = row.nuclei if isinstance(row.nuclei, tuple) else (row.nuclei, row.nuclei)
        count = result_of(tmp_path / "out")["result"]["nuclei"]["count"]
        print("COUNT", row.file, count)
        assert least <= count <= most
