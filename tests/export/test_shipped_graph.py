"""The graphs that come with histoserve, against PyTorch and against their own claims."""

import hashlib
from contextlib import nullcontext
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from histoserve.export import pipelines
from histoserve.export.config import read_config
from histoserve.export.identity import code_sha256, weights_sha256
from histoserve.export.nuclei.tiles import consep_tiles
from histoserve.export.peakmap.smears import smear_from_seed, tiles_of
from histoserve.export.repository import INSTALLED
from histoserve.export.rooms import room
from histoserve.export.served import ServedGraph
from histoserve.export.verify import GraphDiffers, compare, verify, verify_rows
from histoserve.export.weight_file import weights_from_file

PIPELINES = [name for name in pipelines() if Path(str(room(name, "network").__file__)).with_name("weights.pt").exists()]
"""Those that come with weights."""


@cache
def shipped(pipeline: str) -> dict[str, ServedGraph]:
    network = room(pipeline, "network")
    state = weights_from_file(Path(str(network.__file__)).with_name("weights.pt"))
    return {each.model: each for each in network.served(state)}


def path_of(model: str) -> Path:
    return INSTALLED / model / "1" / "model.onnx"


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_they_are_small_enough(pipeline: str) -> None:
    assert sum(path_of(model).stat().st_size for model in shipped(pipeline)) <= 12 * 2**20


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_they_say_what_they_are(pipeline: str) -> None:
    for model, served in shipped(pipeline).items():
        content = path_of(model).read_bytes()
        said = {entry.key: entry.value for entry in onnx.load(path_of(model)).metadata_props}
        assert b".py" not in content, "a graph that tells the folder it was traced in"
        assert said["weights_sha256"] == weights_sha256(served.module)
        assert said["code_sha256"] == code_sha256(served.module), (
            f"networks changed: run `histoserve export {pipeline}`"
        )
        digest = read_config(INSTALLED / model).parameters["graph_sha256"].string_value
        assert digest == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("side", [256, 512])
def test_nuclei_computes_what_pytorch_computes_on_real_tiles(shared: Path, side: int) -> None:
    served = shipped("nuclei")["nuclei_network"]
    tiles = [tile.image[None, :side, :side] for tile in consep_tiles(shared / "consep")][:2]
    assert verify(onnx.load(path_of(served.model)), served.module, served.outputs, [(tile,) for tile in tiles])


def test_peakmap_computes_what_pytorch_computes_on_smears() -> None:
    served = shipped("peakmap")["peakmap_network"]
    tiles = tiles_of(smear_from_seed(5, (768, 768)).image)[1]
    outputs = ("SCORE", "FEATURE_MAP", "BOX")
    assert verify(onnx.load(path_of(served.model)), served.module, outputs, [(tiles[:1],), (tiles[1:],)])


@pytest.mark.parametrize(("node", "refused"), [("ReduceMean", True), ("GlobalAveragePool", False)])
def test_a_graph_whose_rows_depend_on_their_batch_is_noticed(node: str, refused: bool) -> None:
    shape = ("N", 64, 64, 3)
    nodes = {
        "ReduceMean": [helper.make_node("ReduceMean", ["IMAGE", "axes"], ["MEAN"], keepdims=0)],
        "GlobalAveragePool": [
            helper.make_node("Transpose", ["IMAGE"], ["planes"], perm=[0, 3, 1, 2]),
            helper.make_node("GlobalAveragePool", ["planes"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["MEAN"]),
        ],
    }
    tensors = [helper.make_tensor_value_info(*each) for each in (("IMAGE", 1, shape), ("MEAN", 1, ("N", 3)))]
    axes = numpy_helper.from_array(np.array([1, 2]), "axes")
    made = helper.make_graph(nodes[node], node, tensors[:1], tensors[1:], [axes])
    graph = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    sample = (np.random.default_rng(0).normal(size=(5, 64, 64, 3)).astype(np.float32),)
    with pytest.raises(GraphDiffers, match=r"row \d of 5 differs") if refused else nullcontext():
        verify_rows(graph, ["MEAN"], sample)


def test_a_graph_that_differs_is_noticed() -> None:
    wanted = np.zeros((1, 100, 100, 3), np.uint8)
    found = wanted.copy()
    found[0, :2, :2] = 9
    with pytest.raises(GraphDiffers, match="bytes differ"):
        compare("MAPS", found, wanted)
