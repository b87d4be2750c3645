"""A plain ONNX graph and its mapping: what goes in and comes out, and what is refused in a line, nothing written."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from tiny_graphs import graph as tiny
from tiny_graphs import tensor

from histoserve.export.commands import export
from histoserve.export.foreign import foreign
from histoserve.export.foreign_parity import parity_with
from histoserve.export.inspect_command import passport_in
from histoserve.export.lower.gates import session_of
from histoserve.export.repository import INSTALLED

MEAN, DEVIATION = [0.7, 0.5, 0.3], [0.2, 0.25, 0.5]
MAPPING: dict[str, Any] = {
    "model": "tissue_network",
    "input": {"tensor": "x", "layout": "NCHW", "colours": "BGR", "mean": MEAN, "deviation": DEVIATION},
    "outputs": {"PROBABILITY": {"tensor": "logits", "activation": "softmax"}},
    "parameters": {"mpp": "2.28571", "classes": "normal,solid,cribriform"},
}


def network(shape: tuple[object, ...] = ("n", 3, 224, 224), nodes: list | None = None, weight: float = 1) -> bytes:
    """Logits are the pooled colours, times 2; or whatever `nodes` make of `x`."""
    made = nodes or [
        helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["logits"]),
    ]
    outputs = [tensor("logits", TensorProto.FLOAT, shape[0], 3)]  # type: ignore[arg-type]
    inputs = [tensor("x", TensorProto.FLOAT, *shape)]  # type: ignore[arg-type]
    return tiny(made, inputs, outputs, {"w": (2 * weight * np.eye(3)).astype(np.float32)})


def written(folder: Path, content: bytes, **changes: object) -> Path:
    (folder / "net.onnx").write_bytes(content)
    (folder / "net.json").write_text(json.dumps({**MAPPING, **changes}))
    return folder / "net.onnx"


def test_colours_layout_normalisation_and_activation_are_as_the_mapping_says(tmp_path: Path) -> None:
    path = written(tmp_path, network())
    served, graph = foreign(path, 224)
    colour = np.array([200, 100, 40])
    image = np.broadcast_to(colour.astype(np.uint8), (1, 224, 224, 3))

    (found,) = session_of(graph).run(["PROBABILITY"], {"IMAGE": np.ascontiguousarray(image)})

    logits = 2 * (colour[::-1] / 255 - MEAN) / DEVIATION
    np.testing.assert_allclose(found[0], np.exp(logits) / np.exp(logits).sum(), atol=1e-5)
    assert parity_with(path, served, graph)["largest_difference"]["PROBABILITY"] < 1e-5


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("activation", ["none", "sigmoid", "softmax"])
@pytest.mark.parametrize("column", [None, 1])
def test_each_choice_computes_what_numpy_does(tmp_path: Path, layout: str, activation: str, column: int | None) -> None:
    axes = [2, 3] if layout == "NCHW" else [1, 2]
    nodes = [
        helper.make_node("Mul", ["x", "half"], ["less"]),
        helper.make_node("ReduceMax", ["less"], ["logits"], axes=axes, keepdims=0),
    ]
    shape = ("n", 3, 32, 32) if layout == "NCHW" else ("n", 32, 32, 3)
    inputs, outputs = [tensor("x", TensorProto.FLOAT, *shape)], [tensor("logits", TensorProto.FLOAT, "n", 3)]
    content = tiny(nodes, inputs, outputs, {"half": np.float32(0.01)})
    output = {"tensor": "logits", "activation": activation, **({} if column is None else {"column": column})}
    path = written(tmp_path, content, input={"tensor": "x", "layout": layout}, outputs={"PROBABILITY": output})
    served, graph = foreign(path, 224)
    assert parity_with(path, served, graph)["largest_difference"]["PROBABILITY"] < 1e-4
    assert served.example[0].shape == (2, 32, 32, 3)


def test_it_is_exported_into_the_pipeline_and_its_passport_names_the_file(tmp_path: Path) -> None:
    repository = Path(shutil.copytree(INSTALLED, tmp_path / "repository"))
    path = written(tmp_path, network())
    export("tissue", None, repository, source=("onnx", path))
    passport = passport_in("tissue_network", repository)
    assert passport["origin"]["weights"] == "net.onnx"
    assert passport["parity"]["with_pytorch"]["compared_with"] == "net.onnx"
    assert passport["outputs"].keys() == {"PROBABILITY", "NETWORK"}
    assert passport["golden"]["rows"] == 12


def of_opset(number: int) -> bytes:
    graph = onnx.load_from_string(network())
    graph.opset_import[0].version = number
    return graph.SerializeToString()


def custom() -> bytes:
    graph = onnx.load_from_string(network())
    graph.graph.node[0].op_type, graph.graph.node[0].domain = "Secret", "lab"
    graph.opset_import.append(helper.make_opsetid("lab", 1))
    return graph.SerializeToString()


def elsewhere() -> bytes:
    graph = onnx.load_from_string(network())
    constant = graph.graph.initializer[0]
    constant.data_location = TensorProto.EXTERNAL
    constant.external_data.add(key="location", value="../../etc/passwd")
    return graph.SerializeToString()


def finding() -> list:
    """As many values as there are: no shape that could be fixed."""
    return [
        helper.make_node("NonZero", ["x"], ["places"]),
        helper.make_node("Cast", ["places"], ["logits"], to=TensorProto.FLOAT),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda: network()[:-60], "net.onnx .*(damaged|empty)"),
        (lambda: b"words", "net.onnx is no ONNX graph"),
        (lambda: b"", "net.onnx is no ONNX graph"),
        (lambda: network(weight=np.nan), "w holds NaN or infinity"),
        (lambda: of_opset(99), "is of opset 99, and .* is the newest known"),
        (custom, "node .*Secret.* is of lab: only ONNX' own operators"),
        (elsewhere, "w stands in another file"),
        (lambda: network(nodes=finding()), "NonZero.* is not among the operators"),
        (lambda: network(shape=(1, 3, 224, 224)), "x takes 1 pictures, no more"),
        (lambda: network(shape=("n", "c", 224, 224)), "wanted 4 axes, of which NCHW has 3 at C"),
        (lambda: network(shape=("n", 3, 64, 64)), "tile_px"),
    ],
    ids=["truncated", "text", "empty", "NaN", "opset", "custom", "outside", "dynamic", "batch", "channels", "side"],
)
def test_a_graph_that_no_server_should_have_is_told_in_a_line_and_nothing_is_written(
    tmp_path: Path, content: Callable[[], bytes], message: str
) -> None:
    repository = tmp_path / "repository"
    for model in INSTALLED.glob("tissue_*"):
        shutil.copytree(model, repository / model.name)
    before = {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()}
    with pytest.raises(ValueError, match=message) as told:
        export("tissue", None, repository, source=("onnx", written(tmp_path, content())))
    assert "\n" not in str(told.value)
    assert {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input": {"tensor": "y"}}, "has no tensor 'y'; it has x"),
        ({"outputs": {"PROBABILITY": {"tensor": "y"}}}, "has no tensor 'y'; it has logits"),
        ({"outputs": {}}, "outputs: none are named"),
        ({"input": {"tensor": "x", "layout": "CHWN"}}, "layout 'CHWN': wanted NCHW or NHWC"),
        ({"input": {"tensor": "x", "mean": MEAN}}, "mean and deviation come together"),
        ({"input": {"tensor": "x", "mean": MEAN, "deviation": [1, 0, 1]}}, "deviation: wanted numbers above 0"),
        ({"input": {"tensor": "x", "mean": ["a", 1, 1], "deviation": [1, 1, 1]}}, "mean: wanted three numbers"),
        ({"input": {"tensor": "x", "speed": 1}}, "net.json: .*speed"),
        ({"model": "nuclei_network"}, "'nuclei_network' is no network of tissue; there are: tissue_network"),
        ({"model": 7}, "net.json: model 7: wanted a name"),
        ({"outputs": {"SCORE": {"tensor": "logits"}}}, "tissue_network must have the output PROBABILITY"),
    ],
)
def test_a_mapping_that_does_not_fit_is_told_in_a_line(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as told:
        export("tissue", None, None, source=("onnx", written(tmp_path, network(), **changes)))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("text", "message"), [(None, "no .*net.json: beside an ONNX graph"), ("{", "net.json: "), ("[]", "net.json: ")]
)
def test_a_graph_without_a_mapping_is_told(tmp_path: Path, text: str | None, message: str) -> None:
    path = written(tmp_path, network())
    path.with_suffix(".json").unlink()
    if text is not None:
        path.with_suffix(".json").write_text(text)
    with pytest.raises(ValueError, match=message):
        export("tissue", None, None, source=("onnx", path))
