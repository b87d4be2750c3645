"""The shipped peakmap networks on phantom smears, through the command line and a real Triton."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from histoserve.deploy.local.triton import LocalTriton
from histoserve.phantom import write_phantom

SEEDS = range(5)
"""Training saw none under ten million."""


def draw(folder: Path, seed: int) -> Path:
    """A slide, its truth beside it."""
    path = folder / f"{seed}.tiff"
    write_phantom(path, kind="cytology", size=(1536, 1536), mpp=0.5, seed=seed, truth=path.with_suffix(".geojson"))
    return path


def analyzed(slide: Path, out: Path, server: LocalTriton, *options: str) -> dict[str, Any]:
    histoserve = str(Path(sys.executable).with_name("histoserve"))
    command = [histoserve, "analyze", str(slide), "--pipeline", "peakmap", "-o", str(out), "--server", server.grpc]
    subprocess.run([*command, *options], check=True, timeout=300)
    return json.loads((out / slide.stem / "peakmap" / "result.json").read_text())["result"]


def centroids(truth: dict[str, Any], name: str) -> np.ndarray:
    """Of the nuclei of one type, (n, 2)."""
    cells = [each for each in truth["features"] if each["properties"]["name"] == name]
    return np.array([np.mean(each["geometry"]["coordinates"][0], axis=0) for each in cells]).reshape(-1, 2)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_smear_gets_its_class_from_tiles_that_show_why(seed: int, server: LocalTriton, tmp_path: Path) -> None:
    slide = draw(tmp_path, seed)
    truth = json.loads(slide.with_suffix(".geojson").read_text())
    result = analyzed(slide, tmp_path / "out", server)

    assert result["class"] == truth["phantom"]["class"]
    most = max(truth["phantom"]["counts"].items(), key=lambda each: each[1])
    if most[1]:
        x, y, width, height = result["types"][most[0]]["peaks"][0]["region"]
        inside = centroids(truth, most[0]) - (x, y)
        assert ((inside > -20) & (inside < (width + 20, height + 20))).all(axis=1).any()


def test_batch_and_requests_in_flight_do_not_show(server: LocalTriton, tmp_path: Path) -> None:
    slide = draw(tmp_path, 1)
    options = {"one": ("--batch", "1", "--in-flight", "1"), "many": ("--batch", "32", "--in-flight", "16")}
    results = [analyzed(slide, tmp_path / name, server, *chosen) for name, chosen in options.items()]
    assert results[0] == results[1]
    for name in ("peakmap.geojson", "peaks.png", "overview.png"):
        assert (tmp_path / "one/1/peakmap" / name).read_bytes() == (tmp_path / "many/1/peakmap" / name).read_bytes()
