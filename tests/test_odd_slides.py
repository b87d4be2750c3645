"""Odd slides through the whole product: what comes out of each is right, or a refusal that names the property.

A row of the table is a file of `inputs/odd_slides.py`; what is right for it stands in the README beside that script.
Files that give the pixels of `he.tiff` exactly are compared where slides are opened, without a server.
"""

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from histoserve.deploy.local.triton import LocalTriton

NUCLEI = 270
"""On `he.tiff`, which most of the files show."""

COMPLETE, FAILED, SOME_TILES_FAILED = 0, 1, 3


@dataclass(frozen=True)
class Odd:
    """What is to come out of a file."""

    file: str
    exit_code: int = COMPLETE
    nuclei: tuple[int, int] | None = (NUCLEI, NUCLEI)
    """The least and the most, which differ where pixels differ from `he.tiff`."""
    words: str = ""
    """On the standard error, a regular expression."""


JPEG = (260, 280)
"""Coded a second time."""

SLIDES = [
    Odd("a.scn", nuclei=JPEG),
    Odd("b.tif", nuclei=JPEG, words=r"Level 1 \(3072×1024\) is not used"),
    Odd("d3.tif", nuclei=JPEG, words="number 2"),
    Odd("g2.tif", nuclei=JPEG, words="orientation 3"),
    Odd("o.svs", nuclei=(250, 290), words="0.2339 µm/px.*20×"),
    Odd("e.tif", exit_code=FAILED, nuclei=None, words="16 bits of which 12 are used"),
]


Analyze = Callable[[Path], tuple[int, str, Path]]


@pytest.fixture(scope="module")
def analyze(histoserve: Callable[..., tuple[int, str]], server: LocalTriton, tmp_path_factory: Any) -> Analyze:
    """Each slide once → exit code, what was said, and the folder that holds its results."""

    @cache
    def run(slide: Path) -> tuple[int, str, Path]:
        out = tmp_path_factory.mktemp("out")
        told = histoserve("analyze", slide, "--pipeline", "nuclei", "--server", server.grpc, "-o", out)
        return *told, out

    return run


def result_of(out: Path) -> dict[str, Any]:
    """Wherever in `out` it lies."""
    (path,) = out.rglob("result.json")
    result: dict[str, Any] = json.loads(path.read_text())
    return result


@pytest.mark.parametrize("row", SLIDES, ids=lambda row: row.file)
def test_an_odd_slide_comes_out_right(row: Odd, odd: Path, analyze: Analyze) -> None:
    code, message, out = analyze(odd / row.file)

    assert code == row.exit_code, message
    assert re.search(row.words, message), message
    if row.nuclei is None:
        assert not list(out.rglob("result.json"))
    else:
        least, most = row.nuclei
        assert least <= result_of(out)["result"]["nuclei"]["count"] <= most


def test_outlines_of_a_slide_with_bounds_lie_where_a_viewer_that_crops_to_them_shows_them(
    odd: Path, analyze: Analyze
) -> None:
    outs = [analyze(odd / name)[2] for name in ("a.scn", "he.tiff")]

    (cropped,), (whole,) = (list(out.rglob("nuclei.geojson")) for out in outs)
    assert json.loads(cropped.read_text())["histoserve_origin"] == [1500, 900]
    slide = result_of(outs[0])["slide"]
    assert (slide["bounds"], slide["geojson_origin"]) == ([1500, 900, 1200, 1000], [1500, 900])
    centres = [_centres(path) for path in (cropped, whole)]
    nearest = np.sqrt(((centres[0][:, None] - centres[1]) ** 2).sum(axis=2)).min(axis=1)
    # The scanner's JPEG is a second one, so outlines differ a little, and a few nuclei altogether.
    assert np.median(nearest) < 1
    assert (nearest < 8).mean() > 0.95


def _centres(geojson: Path) -> NDArray[np.float64]:
    features = json.loads(geojson.read_text())["features"]
    return np.array([np.mean(each["geometry"]["coordinates"][0], axis=0) for each in features])


def test_a_name_that_is_not_utf8_finishes(odd: Path, analyze: Analyze, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"h\xe9.tiff")
    shutil.copy(odd / "he.tiff", path)

    code, message, out = analyze(path)

    assert code == COMPLETE, message
    assert result_of(out)["slide"]["name"] == "h\\xe9.tiff"
    assert result_of(out)["result"]["nuclei"]["count"] == NUCLEI


def test_a_slide_whose_tile_has_no_bytes_is_finished_but_not_complete(
    odd: Path, analyze: Analyze, tmp_path: Path
) -> None:
    data = bytearray((odd / "b.tif").read_bytes())
    with tifffile.TiffFile(odd / "b.tif") as tiff:
        tag = tiff.pages[0].tags["TileByteCounts"]
        size = tag.valuebytecount // tag.count
    at = tag.valueoffset + (2 * 20 + 16) * size
    data[at : at + size] = bytes(size)
    (tmp_path / "holed.tiff").write_bytes(data)

    code, message, out = analyze(tmp_path / "holed.tiff")

    assert code == SOME_TILES_FAILED, message
    failed = result_of(out)["tiles"]["failed"]
    assert failed
    assert all("no bytes" in each["reason"] for each in failed)
    # Each failed tile shows some of x 4096 to 4352, y 512 to 768.
    for x, y, width, height in (each["region"] for each in failed):
        assert x < 4352
        assert x + width > 4096
        assert y < 768
        assert y + height > 512
