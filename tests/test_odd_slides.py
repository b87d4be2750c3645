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
import tifffile
from numpy.typing import NDArray
from typer.testing import CliRunner

from histoserve.client.cli import app
from histoserve.deploy.local.triton import LocalTriton

NUCLEI = 270
"""On `he.tiff`, which most of the files show."""

COMPLETE, FAILED, SOME_TILES_FAILED = 0, 1, 3


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
        assert least <= count <= most


def test_outlines_of_a_slide_with_bounds_lie_where_a_viewer_that_crops_to_them_shows_them(
    odd: Path, server: LocalTriton, tmp_path: Path
) -> None:
    analyze(odd / "a.scn", tmp_path / "scn", server)
    analyze(odd / "he.tiff", tmp_path / "he", server)

    (cropped,), (whole,) = (list((tmp_path / name).rglob("nuclei.geojson")) for name in ("scn", "he"))
    assert json.loads(cropped.read_text())["histoserve_origin"] == [1500, 900]
    slide = result_of(tmp_path / "scn")["slide"]
    assert (slide["bounds"], slide["geojson_origin"]) == ([1500, 900, 1200, 1000], [1500, 900])
    centres = [_centres(path) for path in (cropped, whole)]
    nearest = np.sqrt(((centres[0][:, None] - centres[1]) ** 2).sum(axis=2)).min(axis=1)
    # The scanner's JPEG is a second one, so outlines differ a little, and a few nuclei altogether.
    assert np.median(nearest) < 1
    assert (nearest < 8).mean() > 0.95


def _centres(geojson: Path) -> NDArray[np.float64]:
    features = json.loads(geojson.read_text())["features"]
    return np.array([np.mean(each["geometry"]["coordinates"][0], axis=0) for each in features])


def test_a_name_that_is_not_utf8_finishes(odd: Path, server: LocalTriton, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"h\xe9.tiff")
    shutil.copy(odd / "he.tiff", path)

    assert analyze(path, tmp_path / "out", server)[0] == COMPLETE
    assert result_of(tmp_path / "out")["slide"]["name"] == "h\\xe9.tiff"


def test_a_slide_whose_tile_has_no_bytes_is_finished_but_not_complete(
    odd: Path, server: LocalTriton, tmp_path: Path
) -> None:
    data = bytearray((odd / "b.tif").read_bytes())
    with tifffile.TiffFile(odd / "b.tif") as tiff:
        tag = tiff.pages[0].tags["TileByteCounts"]
        size = tag.valuebytecount // tag.count
    at = tag.valueoffset + (2 * 20 + 16) * size
    data[at : at + size] = bytes(size)
    (tmp_path / "holed.tiff").write_bytes(data)

    code, message = analyze(tmp_path / "holed.tiff", tmp_path / "out", server)

    assert code == SOME_TILES_FAILED, message
    failed = result_of(tmp_path / "out")["tiles"]["failed"]
    assert failed
    assert all("no bytes" in each["reason"] for each in failed)
    # Each failed tile shows some of x 4096 to 4352, y 512 to 768.
    for x, y, width, height in (each["region"] for each in failed):
        assert x < 4352
        assert x + width > 4096
        assert y < 768
        assert y + height > 512
