"""Slides stained for a marker on a real Triton, with a tiny graph in the place of the network: dark is a nucleus."""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from ihc_repository import tiny_repository

from histoserve.client.tile_reading import tile_reader
from histoserve.deploy.local.triton import LocalTriton
from histoserve.phantom import write_phantom

pytestmark = pytest.mark.slow
Command = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalTriton]:
    repository = tiny_repository(tmp_path_factory.mktemp("repository"))
    with LocalTriton(repository, state=tmp_path_factory.mktemp("state")) as triton:
        yield triton


@pytest.fixture(scope="module")
def stained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 µm of tumour, a part of it positive, in four tiles."""
    path = tmp_path_factory.mktemp("ihc") / "stained.tiff"
    kind = "ihc:marker=ki67,level=0.4,share=0.8"
    write_phantom(path, kind=kind, size=(750, 600), mpp=0.4, seed=77, truth=path.with_suffix(".geojson"))
    return path


def geojson(out: Path, slide: str = "stained") -> bytes:
    return (out / slide / "ihc" / "ihc.geojson").read_bytes()


def test_a_slide_is_read_the_same_however_its_tiles_travel(
    stained: Path, server: LocalTriton, histoserve: Command, tmp_path: Path
) -> None:
    code, told = histoserve("read-ihc", stained, "-o", tmp_path / "read", "--server", server.grpc)
    assert code == 0, told
    single = ("--batch", "1", "--in-flight", "1")
    code, told = histoserve(
        "analyze", stained, "--pipeline", "ihc", *single, "-o", tmp_path / "one", "--server", server.grpc
    )
    assert code == 0, told

    assert geojson(tmp_path / "read") == geojson(tmp_path / "one")
    result = json.loads((tmp_path / "read" / "stained" / "ihc" / "result.json").read_text())["result"]
    [row] = csv.DictReader((tmp_path / "read" / "readings.csv").open())
    assert row["slide"] == "stained.tiff"
    assert (int(row["positive"]), int(row["negative"])) == (result["positive"], result["negative"])
    assert float(row["reading"]) == pytest.approx(result["ratio"], abs=1e-4)
    assert result["positive"] > 10
    assert result["negative"] > 10


def test_by_count_and_without_tumour(server: LocalTriton, histoserve: Command, tmp_path: Path, stained: Path) -> None:
    glass = tmp_path / "glass.png"
    cv2.imwrite(str(glass), np.full((300, 300, 3), 243, np.uint8))
    pink = tmp_path / "pink.png"
    cv2.imwrite(str(pink), np.full((300, 300, 3), (200, 150, 230), np.uint8))

    given = (stained, glass, pink, "--mpp", "0.4", "--reading", "count", "-o", tmp_path, "--server", server.grpc)
    code, told = histoserve("read-ihc", *given)

    assert code == 3
    assert "pink.png looks like H&E" in told
    rows = {row["slide"]: row for row in csv.DictReader((tmp_path / "readings.csv").open())}
    assert rows["stained.tiff"]["reading"] == rows["stained.tiff"]["positive"]
    assert (rows["glass.png"]["reading"], rows["glass.png"]["remark"]) == ("", "no tumour found, so no reading")
    assert rows["pink.png"]["reading"] == ""
    assert "H&E" in rows["pink.png"]["remark"]


def test_the_library_reads_a_tile_as_the_command_does(
    shared: Path, server: LocalTriton, histoserve: Command, tmp_path: Path
) -> None:
    tile = shared / "ihc_ki67" / "6_2.png"
    code, told = histoserve("read-ihc", tile, "--mpp", "0.25", "-o", tmp_path, "--server", server.grpc)
    assert code == 0, told
    result = json.loads((tmp_path / "6_2" / "ihc" / "result.json").read_text())["result"]

    with tile_reader([server.grpc]) as read:
        reading = read(np.ascontiguousarray(cv2.imread(str(tile))[..., ::-1]), 0.25)

    assert (reading.positive, reading.negative) == (result["positive"], result["negative"])
    assert reading.region_mm2 == result["region_mm2"]
    assert reading.positive > 5
    assert reading.negative > 5
