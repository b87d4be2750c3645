"""The shipped peakmap networks on phantom smears, through the command line and a real Triton."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from histoserve.deploy.local.triton import LocalTriton
from histoserve.phantom import write_phantom

SEEDS = (0, 2, 5)
"""One of each class. Training saw none under ten million."""


def draw(folder: Path, seed: int) -> Path:
    """A slide, its truth beside it."""
    path = folder / f"{seed}.tiff"
    write_phantom(path, kind="cytology", size=(1024, 1024), mpp=0.5, seed=seed, truth=path.with_suffix(".geojson"))
    return path


@pytest.fixture
def analyzed(histoserve: Callable[..., tuple[int, str]], server: LocalTriton) -> Callable[..., dict[str, Any]]:
    """`analyzed(slide, out, *options)` → the result."""

    def run(slide: Path, out: Path, *options: str) -> dict[str, Any]:
        where = ("--server", server.grpc)
        code, told = histoserve("analyze", slide, "--pipeline", "peakmap", "-o", out, *where, *options)
        assert code == 0, told
        return json.loads((out / slide.stem / "peakmap" / "result.json").read_text())["result"]

    return run


def centroids(truth: dict[str, Any], name: str) -> np.ndarray:
    """Of the nuclei of one type, (n, 2)."""
    cells = [each for each in truth["features"] if each["properties"]["name"] == name]
    return np.array([np.mean(each["geometry"]["coordinates"][0], axis=0) for each in cells]).reshape(-1, 2)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_smear_gets_its_class_from_tiles_that_show_why(seed: int, analyzed: Any, tmp_path: Path) -> None:
    slide = draw(tmp_path, seed)
    truth = json.loads(slide.with_suffix(".geojson").read_text())
    result = analyzed(slide, tmp_path / "out")

    assert result["class"] == truth["phantom"]["class"]
    most = max(truth["phantom"]["counts"].items(), key=lambda each: each[1])
    if most[1]:
        x, y, width, height = result["types"][most[0]]["peaks"][0]["region"]
        inside = centroids(truth, most[0]) - (x, y)
        assert ((inside > -20) & (inside < (width + 20, height + 20))).all(axis=1).any()


def test_batch_and_requests_in_flight_do_not_show(analyzed: Any, tmp_path: Path) -> None:
    slide = draw(tmp_path, 2)
    options = {"one": ("--batch", "1", "--in-flight", "1"), "many": ("--batch", "32", "--in-flight", "16")}
    results = [analyzed(slide, tmp_path / name, *chosen) for name, chosen in options.items()]
    assert results[0] == results[1]
    for name in ("peakmap.geojson", "peaks.png", "overview.png"):
        assert (tmp_path / "one/2/peakmap" / name).read_bytes() == (tmp_path / "many/2/peakmap" / name).read_bytes()
