"""The graph that comes with histoserve, against PyTorch and against its own claims."""

import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from histoserve.export.commands import HERE
from histoserve.export.graph import code_sha256, weights_sha256
from histoserve.export.networks.nuclei import NucleiMaps, network_from_weights
from histoserve.export.repository import read_config
from histoserve.export.training.tiles import consep_tiles
from histoserve.export.verify import GraphDiffers, compare, verify

MODEL = HERE.parent / "model_repository" / "nuclei_network"
GRAPH = MODEL / "1" / "model.onnx"


@pytest.fixture(scope="module")
def module() -> NucleiMaps:
    weights = torch.load(HERE / "weights" / "nuclei.pt", weights_only=True)
    return NucleiMaps(network_from_weights({k: v.float() if v.is_floating_point() else v for k, v in weights.items()}))


def test_it_is_small_enough_and_says_what_it_is(module: NucleiMaps) -> None:
    graph = onnx.load(GRAPH)
    said = {entry.key: entry.value for entry in graph.metadata_props}
    assert GRAPH.stat().st_size <= 12 * 2**20
    assert b".py" not in GRAPH.read_bytes(), "a graph that tells the folder it was traced in"
    assert said["weights_sha256"] == weights_sha256(module)
    assert said["code_sha256"] == code_sha256(), "networks changed: run `histoserve export nuclei`"
    assert read_config(MODEL).parameters["graph_sha256"].string_value == hashlib.sha256(GRAPH.read_bytes()).hexdigest()


@pytest.mark.parametrize("side", [256, 992])
def test_it_computes_what_pytorch_computes_on_real_tiles(shared: Path, module: NucleiMaps, side: int) -> None:
    tiles = [tile.image[None, :side, :side] for tile in consep_tiles(shared / "consep")][:2]
    assert verify(onnx.load(GRAPH), module, ["MAPS"], [(tile,) for tile in tiles])["MAPS"] >= 0


def test_a_graph_that_differs_is_noticed() -> None:
    wanted = np.zeros((1, 100, 100, 3), np.uint8)
    found = wanted.copy()
    found[0, :2, :2] = 9
    with pytest.raises(GraphDiffers, match="bytes differ"):
        compare("MAPS", found, wanted)
