"""Tiles that end a stage's process in a real Triton, through the command: they are listed, and cost nothing else."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from histoserve.client import analyze as analyze_module
from histoserve.client import call, cli, pipelines, session
from histoserve.client.results.layers import Layer
from histoserve.deploy.local.triton import LocalTriton

SIDE, SHAPE = 32, (5, 8)
EXITS, CRASHES = (1, 2, 3), (3, 2, 1)
"""Colours of tiles that end the process: by itself, and by reading where nothing is."""

STAGE = """
import ctypes, os
import numpy as np
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        return [pb_utils.InferenceResponse(self.outputs(self.means(request))) for request in requests]

    def outputs(self, means):
        network = np.ones((len(means), 1), np.int32)
        return [pb_utils.Tensor("MEAN", means), pb_utils.Tensor("NETWORK", network)]

    def means(self, request):
        tiles = pb_utils.get_input_tensor_by_name(request, "TILE").as_numpy()
        pixels = [np.frombuffer(tile, np.uint8)[-32 * 32 * 3 :] for tile in tiles]
        if any((each[:3] == (1, 2, 3)).all() for each in pixels):
            os._exit(1)
        if any((each[:3] == (3, 2, 1)).all() for each in pixels):
            ctypes.string_at(0)
        return np.array([each.mean() for each in pixels], np.float32)
"""
CONFIG = """
backend: "python"
max_batch_size: 0
input { name: "TILE" data_type: TYPE_STRING dims: [ -1 ] }
input { name: "REGION" data_type: TYPE_FP32 dims: [ -1, 4 ] }
input { name: "WINDOW" data_type: TYPE_FP32 dims: [ -1, 4 ] }
input { name: "MPP" data_type: TYPE_FP32 dims: [ 1 ] }
output { name: "MEAN" data_type: TYPE_FP32 dims: [ -1 ] }
output { name: "NETWORK" data_type: TYPE_INT32 dims: [ -1, 1 ] }
parameters { key: "tile_px" value { string_value: "32" } }
parameters { key: "mpp" value { string_value: "0.25" } }
"""


class Means:
    """The mean of each tile, as the rows of a pipeline."""

    BYTES_PER_MM2 = 0

    def __init__(self, contract: Any, slide_mpp: float):
        self.means: dict[str, float] = {}

    def more_inputs(self, tiles: Sequence[Any]) -> Any:
        return {}

    def take(self, tiles: Sequence[Any], outputs: Any) -> None:
        self.means.update(zip((str(tile.region) for tile in tiles), outputs["MEAN"].tolist(), strict=True))

    def finish(self, infer: Any) -> None: ...

    def result(self, tissue_mm2: float) -> dict[str, Any]:
        return dict(sorted(self.means.items()))

    @staticmethod
    def words(result: dict[str, Any]) -> str:
        return f"{len(result)} means"

    def layers(self) -> Sequence[Layer]:
        return ()


@pytest.fixture(scope="module")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalTriton]:
    repository = tmp_path_factory.mktemp("repository")
    for name in ("means_tiles", "means_slide"):
        (repository / name / "1").mkdir(parents=True)
        (repository / name / "config.pbtxt").write_text(CONFIG)
        (repository / name / "1" / "model.py").write_text(STAGE)
    with LocalTriton(repository, state=tmp_path_factory.mktemp("state")) as started:
        yield started


@pytest.fixture
def analyze(
    triton: LocalTriton, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[dict[tuple[int, int], tuple[int, int, int]]], tuple[int, dict[str, Any]]]:
    """Exit code and result of a slide of noise, with tiles (row, column) whose first pixel has a colour."""
    for module in (analyze_module, session, call, pipelines):
        monkeypatch.setattr(module, "rows_of", lambda pipeline: Means)
    noise = np.random.default_rng(5).integers((150, 60, 120), (250, 160, 220), (SHAPE[0] * SIDE, SHAPE[1] * SIDE, 3))

    def run(marked: dict[tuple[int, int], tuple[int, int, int]]) -> tuple[int, dict[str, Any]]:
        image = noise.astype(np.uint8)
        for (row, column), colour in marked.items():
            image[row * SIDE, column * SIDE] = colour
        out = tmp_path / str(len(marked))
        cv2.imwrite(str(tmp_path / "s.png"), image[..., ::-1])
        arguments = [str(tmp_path / "s.png"), "--pipeline", "means", "--mpp", "0.25", "-o", str(out)]
        monkeypatch.setattr(sys, "argv", ["histoserve", "analyze", *arguments, "--server", triton.grpc, "--batch", "8"])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0), json.loads((out / "s" / "means" / "result.json").read_text())

    return run


@pytest.mark.slow
def test_two_deadly_tiles_of_forty_cost_themselves_only(triton: LocalTriton, analyze: Any) -> None:
    whole_code, whole = analyze({})
    code, result = analyze({(1, 2): EXITS, (3, 7): CRASHES})

    assert (whole_code, code) == (0, 3)
    assert [each["region"][:2] for each in result["tiles"]["failed"]] == [[2 * SIDE, SIDE], [7 * SIDE, 3 * SIDE]]
    assert all("ended 2 times" in each["reason"] for each in result["tiles"]["failed"])
    expected = {region: mean for region, mean in whole["result"].items() if region in result["result"]}
    assert result["result"] == expected
    assert len(expected) == whole["tiles"]["planned"] - 2
    restarts = triton.log.read_text().count("started anew")
    print(f"{restarts} restarts for 2 deadly tiles; {result['servers']}")
    assert 2 <= restarts <= 8
