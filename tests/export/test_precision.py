"""`export --precision`: what of a graph is lowered, how that is judged, and beside what it is written."""

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from google.protobuf import text_format
from onnx import TensorProto, helper, numpy_helper

from histoserve.export.config import GraphDoesNotFit, read_config
from histoserve.export.deployment import VERSIONS
from histoserve.export.engines import engine_of, served_graphs
from histoserve.export.lower.gates import TooCoarse, require_near
from histoserve.export.lower.half import NoHalf, halve
from histoserve.export.lower.precision import BOUNDS, Lowered, lowered
from histoserve.export.lower.real_tiles import real_tiles
from histoserve.export.lower.rounded import LARGEST, rounded
from histoserve.export.lower.trunk import trunk_of, untrained
from histoserve.export.near import Bounds
from histoserve.export.peakmap.smears import smear_from_seed, tiles_of
from histoserve.export.portable import types_of
from histoserve.export.repository import INSTALLED, write_networks
from histoserve.export.rooms import room
from histoserve.export.served import ServedGraph
from histoserve.export.verify import verify_rows
from histoserve.export.weight_file import weights_from_file


def shipped(pipeline: str) -> tuple[ServedGraph, onnx.ModelProto]:
    network = room(pipeline, "network")
    served = network.served(weights_from_file(Path(str(network.__file__)).with_name("weights.pt")))[0]
    return served, onnx.load(INSTALLED / served.model / "1" / "model.onnx")


@cache
def smears() -> np.ndarray:
    return tiles_of(smear_from_seed(5, (768, 768)).image)[1][:8]


@cache
def lowered_peakmap(precision: str) -> Lowered:
    """The smallest served network."""
    return lowered(*shipped("peakmap"), precision, smears())


def metadata(graph: onnx.ModelProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in graph.metadata_props}


@pytest.mark.parametrize("pipeline", ["nuclei", "peakmap", "tissue"])
def test_weights_are_half_and_the_arithmetic_around_them_is_not(pipeline: str) -> None:
    served, graph = shipped(pipeline)
    bare = untrained(served.module)
    halve(graph, bare)
    onnx.checker.check_model(graph, full_check=True)
    types = types_of(graph)
    for node in graph.graph.node:
        inside = {types[name] for name in node.input if types.get(name, "").startswith("FLOAT")}
        if node.op_type in ("Conv", "Gemm"):
            assert inside == ({"FLOAT"} if bare & set(node.input) else {"FLOAT16"}), node.name
        if node.op_type in ("Softmax", "ReduceMean", "Div", "Sigmoid", "Clip"):
            assert inside <= {"FLOAT"}, node.name
    assert types["IMAGE"] == "UINT8"
    assert bare <= {each.name for each in graph.graph.initializer}


def test_what_attention_weighs_by_stays_whole() -> None:
    """Products of two activations, which reach a third of float16's range; what they weigh is half."""
    served, graph = shipped("nuclei")
    halve(graph, untrained(served.module))
    types = types_of(graph)
    kinds = [types[node.input[0]] for node in graph.graph.node if node.op_type == "Einsum"]
    assert sorted(kinds) == ["FLOAT"] * 4 + ["FLOAT16"] * 4


def tiny(bias: float = 0.0) -> onnx.ModelProto:
    weights = [
        numpy_helper.from_array(np.array(values, np.float32), name)
        for name, values in (("v", [[1.0, 0.1], [0.3, 1.0]]), ("w", [[1.0, bias], [0.0, 1.0]]))
    ]
    nodes = [
        helper.make_node("MatMul", ["x", "v"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("MatMul", ["b", "w"], ["y"]),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 2]) for name in "xy"]
    return helper.make_model(
        helper.make_graph(nodes, "g", ends[:1], ends[1:], weights),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=8,
    )


def test_rounding_on_a_processor_is_that_of_float16() -> None:
    graph = tiny()
    assert halve(graph) == ["a", "b", "y"]
    x = np.random.default_rng(0).normal(0, 3, (50, 2)).astype(np.float32)
    session = onnxruntime.InferenceSession(rounded(graph).SerializeToString())
    y, largest = session.run(["y", LARGEST], {"x": x})

    def half(values: np.ndarray) -> np.ndarray:
        return values.astype(np.float16).astype(np.float32)

    v, w = (half(np.array(each, np.float32)) for each in ([[1.0, 0.1], [0.3, 1.0]], [[1.0, 0.0], [0.0, 1.0]]))
    a = half(half(x) @ v)
    np.testing.assert_array_equal(y, half(np.maximum(a, 0) @ w))
    np.testing.assert_array_equal(largest[1:], [np.abs(a).max(), a.max(), y.max()])


def test_weights_beyond_float16_are_refused_by_name() -> None:
    with pytest.raises(NoHalf, match=r"^w reaches 7e\+04, and float16 ends at 65504"):
        halve(tiny(7e4))


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_a_lowered_network_is_another_and_each_row_is_its_own(tensorrt: ModuleType, precision: str) -> None:
    low, (served, whole) = lowered_peakmap(precision), shipped("peakmap")
    verify_rows(low.graph, served.outputs, (smears()[:3],))
    assert metadata(low.graph)["precision"] == precision
    assert metadata(low.graph).items() >= metadata(whole).items()
    stamps = [
        next(numpy_helper.to_array(each).item() for each in graph.graph.initializer if each.name == "network_identity")
        for graph in (low.graph, whole)
    ]
    assert stamps[0] != stamps[1]
    assert low.graph.ByteSize() < {"fp16": 0.51, "int8": 0.3}[precision] * whole.ByteSize()
    assert engine_of(tensorrt, served.model, low.graph, 4, INSTALLED).size > 0


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda y: y + 3, "MAPS strays too far from float32: 100.00% differ by more than 2 levels"),
        (lambda y: np.where(np.arange(y.size) < 9, 128, y), "9.0e-04 are on the other side of one half"),
    ],
)
def test_what_strays_is_refused_with_its_figure(spoil: Callable[[np.ndarray], np.ndarray], message: str) -> None:
    wanted = np.full(10_000, 127, np.uint8)
    bounds: Bounds = BOUNDS["fp16"]
    with pytest.raises(TooCoarse, match=message):
        require_near("a", {"MAPS": spoil(wanted).astype(np.uint8)}, {"MAPS": wanted}, bounds, ())
    assert not require_near("a", {"MAPS": wanted + 0}, {"MAPS": wanted}, bounds, ())["MAPS"].largest
    with pytest.raises(TooCoarse, match="SCORE strays"):
        require_near("a", {"SCORE": np.full(3, np.nan)}, {"SCORE": np.ones(3)}, bounds, {"SCORE"})


def test_one_version_is_served_at_a_time_and_float32_comes_back_as_it_was(tmp_path: Path) -> None:
    served, whole = shipped("peakmap")
    model = Path(shutil.copytree(INSTALLED, tmp_path / "r")) / served.model
    for precision in ("fp16", "int8", "fp16"):
        write_networks(model.parent, [(served, lowered_peakmap(precision).graph)])
        config = read_config(model)
        assert list(config.version_policy.specific.versions) == [VERSIONS[precision]]
        assert config.parameters["precision"].string_value == precision
        graphs = {name: metadata(graph).get("precision") for name, graph, _ in served_graphs(model.parent)}
        assert graphs[served.model] == precision
    write_networks(model.parent, [(served, whole)])
    assert list(read_config(model).version_policy.specific.versions) == [1]
    for version in ("2", "3"):
        shutil.rmtree(model / version)
    write_networks(model.parent, [(served, whole)])
    assert read_config(model) == read_config(INSTALLED / served.model)
    assert (model / "1" / "model.onnx").read_bytes() == (INSTALLED / served.model / "1" / "model.onnx").read_bytes()


def test_a_version_policy_of_somebodys_own_is_left(tmp_path: Path) -> None:
    served, _ = shipped("peakmap")
    model = Path(shutil.copytree(INSTALLED, tmp_path / "r")) / served.model
    config = read_config(model)
    config.version_policy.specific.versions.extend([1, 2])
    (model / "config.pbtxt").write_text(text_format.MessageToString(config))
    with pytest.raises(GraphDoesNotFit, match="writes version 2, but its version_policy is not an export's"):
        write_networks(model.parent, [(served, lowered_peakmap("fp16").graph)])
    assert not (model / "2").exists()


def test_tiles_are_cut_from_colour_pictures_of_the_folder(tmp_path: Path) -> None:
    for number, shape in enumerate([(70, 64, 3), (130, 64, 3), (64, 64), (63, 200, 3)]):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full(shape, 10 * number, np.uint8))
    (tmp_path / "notes.png").write_text("no picture")
    assert real_tiles(tmp_path, 64)[:, 0, 0, 0].tolist() == [0, 10, 10]
    assert len(real_tiles(tmp_path, 64, 2)) == 2
    with pytest.raises(ValueError, match=r"holds no colour picture .* of 512 × 512 px or more: give pictures"):
        real_tiles(tmp_path, 512)


def test_a_truncated_picture_is_told_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ValueError, match=r"a\.png cannot be read as a picture, or is damaged"):
        real_tiles(tmp_path, 64)


def test_a_trunk_is_between_products_alone() -> None:
    graph = tiny()
    assert trunk_of(graph) == {0, 1, 2}
    assert trunk_of(graph, {"w"}) == {0}
