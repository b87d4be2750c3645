"""TensorRT builds an engine of every served graph, and of every operator that a graph may have; without a GPU."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import onnx
import pytest
import torch

from histoserve.export import pipelines
from histoserve.export.engines import engine_of, published_graphs, served_graphs
from histoserve.export.graph import onnx_from_module
from histoserve.export.portable import OPERATORS, NotPortable
from histoserve.export.repository import INSTALLED
from histoserve.export.rooms import room
from histoserve.export.samples import samples
from histoserve.export.tensorrt import NoEngine, engine_from_onnx, library
from histoserve.export.verify import verify, verify_rows

PUBLISHED = [name for name in pipelines() if hasattr(room(name, "network"), "published")]
ON_ONE = (
    "Abs Ceil Clip Elu Erf Exp Flatten Floor GlobalAveragePool GlobalMaxPool HardSigmoid HardSwish Identity LeakyRelu",
    "Log LogSoftmax Mish Neg Reciprocal ReduceL1 ReduceL2 ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd",
    "ReduceSum ReduceSumSquare Relu Round Selu Sigmoid Sign Softmax Softplus Softsign Sqrt Tanh Transpose Trilu",
)
ON_TWO = ("Add", "Div", "MatMul", "Max", "Min", "Mul", "PRelu", "Pow", "Sub", "Sum")
COMPARES = ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")
TRIED = {
    **{name: f"r = {name}(x)" for names in ON_ONE for name in names.split()},
    **{name: f"r = {name}(x, x)" for name in ON_TWO},
    **{name: f"b = {name}(x, x) r = Cast<to=1>(b)" for name in COMPARES},
    **{name: f"p = Greater(x, x) b = {name}(p, p) r = Cast<to=1>(b)" for name in ("And", "Or", "Xor")},
    "Not": "p = Greater(x, x) b = Not(p) r = Cast<to=1>(b)",
    "Where": "p = Greater(x, x) r = Where(p, x, x)",
    "Mod": "r = Mod<fmod=1>(x, x)",
    "ArgMax": "i = ArgMax<axis=1>(x) r = Cast<to=1>(i)",
    "ArgMin": "i = ArgMin<axis=1>(x) r = Cast<to=1>(i)",
    "CumSum": "a = Constant<value=int64 {1}>() r = CumSum(x, a)",
    "TopK": "k = Constant<value_ints=[2]>() r, i = TopK(x, k)",
    "AveragePool": "r = AveragePool<kernel_shape=[2,2]>(x)",
    "MaxPool": "r = MaxPool<kernel_shape=[2,2]>(x)",
    "BatchNormalization": "r = BatchNormalization(x, v, v, v, v)",
    "InstanceNormalization": "r = InstanceNormalization(x, v, v)",
    "LayerNormalization": "r = LayerNormalization<axis=-1>(x, v)",
    "Conv": "r = Conv(x, w)",
    "ConvTranspose": "r = ConvTranspose<strides=[2,2]>(x, w)",
    "DepthToSpace": "r = DepthToSpace<blocksize=2>(x)",
    "SpaceToDepth": "r = SpaceToDepth<blocksize=2>(x)",
    "Einsum": 'r = Einsum<equation="nchw,ncgw->nhg">(x, x)',
    "Gemm": "f = Flatten(x) r = Gemm<transB=1>(f, f)",
    "Pad": 'p = Constant<value_ints=[0,0,1,1,0,0,1,1]>() r = Pad<mode="edge">(x, p)',
    "Resize": 's = Constant<value_floats=[1.0,1.0,2.0,2.0]>() r = Resize<mode="nearest">(x, , s)',
    "Cast": "h = Cast<to=10>(x) r = Cast<to=1>(h)",
    "Concat": "r = Concat<axis=1>(x, x)",
    "Constant": "c = Constant<value_floats=[1.0]>() r = Add(x, c)",
    "ConstantOfShape": "s = Shape(x) z = ConstantOfShape(s) r = Add(x, z)",
    "Expand": "s = Constant<value_ints=[1,4,4,4]>() r = Expand(x, s)",
    "Gather": "i = Constant<value_ints=[2,0]>() r = Gather<axis=1>(x, i)",
    "GatherElements": "t = ArgMax<axis=1>(x) r = GatherElements<axis=1>(x, t)",
    "GatherND": "i = Constant<value=int64[1,1] {0}>() r = GatherND(x, i)",
    "Range": "n = Size(x) z = Constant<value=int64 {0}>() o = Constant<value=int64 {1}>() i = Range(z, n, o)"
    " r = Cast<to=1>(i)",
    "Reshape": "s = Constant<value_ints=[0,-1]>() r = Reshape(x, s)",
    "Shape": "s = Shape(x) r = Cast<to=1>(s)",
    "Size": "s = Size(x) r = Cast<to=1>(s)",
    "Slice": "a = Constant<value_ints=[1]>() b = Constant<value_ints=[3]>() r = Slice(x, a, b, a)",
    "Split": "r, t = Split<axis=1, num_outputs=2>(x)",
    "Squeeze": "a = Constant<value_ints=[1]>() m = ReduceMax<keepdims=1>(x, a) r = Squeeze(m, a)",
    "Tile": "s = Constant<value_ints=[1,2,1,1]>() r = Tile(x, s)",
    **dict.fromkeys(
        ("QuantizeLinear", "DequantizeLinear"),
        "s = Constant<value = float {0.1}>() z = Constant<value = int8 {0}>() q = QuantizeLinear(x, s, z)"
        " r = DequantizeLinear(q, s, z)",
    ),
    "Unsqueeze": "a = Constant<value_ints=[1]>() r = Unsqueeze(x, a)",
}
"""Operator → nodes that make r of x (N, 4, 4, 4), with it among them; v are 4 floats, w 4 × 4 kernels of 3 × 3."""


def graph_of(nodes: str) -> onnx.ModelProto:
    head = '<ir_version: 10, opset_import: ["" : 18]> tried (float[N,4,4,4] x) => (float r)'
    weights = f"<float[4] v = {{{','.join('1' * 4)}}}, float[4,4,3,3] w = {{{','.join('1' * 144)}}}>"
    return onnx.parser.parse_model(f"{head} {weights} {{ {nodes} }}")


def all_tried() -> onnx.ModelProto:
    """One graph of all of them side by side: an output each."""
    whole = graph_of(TRIED["Identity"])
    for operator, nodes in TRIED.items():
        part = onnx.compose.add_prefix(graph_of(nodes), operator, rename_inputs=False, rename_initializers=False).graph
        whole.graph.node.extend(part.node)
        whole.graph.output.extend(part.output)
    return whole


def test_an_engine_is_built_of_every_operator_of_the_list(tensorrt: ModuleType) -> None:
    graph = all_tried()

    engine = engine_of(tensorrt, "tried", graph, 3, INSTALLED)

    assert {node.op_type for node in graph.graph.node} == TRIED.keys() == OPERATORS
    assert engine.size > 0


def test_an_engine_is_built_of_every_installed_graph(tensorrt: ModuleType) -> None:
    graphs = list(served_graphs(INSTALLED))

    engines = {model: engine_of(tensorrt, model, graph, rows, INSTALLED) for model, graph, rows in graphs}

    assert engines.keys() >= {path.parents[1].name for path in INSTALLED.glob("*/1/model.onnx")}
    assert all(engine.size > 100_000 for engine in engines.values())


@pytest.mark.slow
@pytest.mark.parametrize("pipeline", PUBLISHED)
def test_every_network_of_the_published_width_is_exported_and_an_engine_built_of_it(
    tensorrt: ModuleType, pipeline: str
) -> None:
    network = room(pipeline, "network")
    torch.manual_seed(0)
    for graph in network.served(network.published().state_dict()):
        # One export of each for both questions: it takes a minute.
        made = onnx_from_module(graph)
        arrays = samples(graph)[:1]
        verify(made, graph.module, graph.outputs, arrays)
        if graph.max_batch_size:
            verify_rows(made, graph.outputs, arrays[0])
        assert engine_of(tensorrt, graph.model, made, graph.max_batch_size, INSTALLED).size > 0


@pytest.mark.parametrize(
    ("nodes", "refusal"),
    [
        (
            's = Constant<value_floats=[1.0,1.0,0.5,0.5]>() r = Resize<mode="linear", antialias=1>(x, , s)',
            r"refuses node .* \(Resize\): .*[Aa]ntialias",
        ),
        ("r = Conv(x, v)", r"refuses node .* \(Conv\): "),
        ("s = Constant<value_ints=[-1,7]>() r = Reshape(x, s)", r"builds no engine of 3 rows: .*Reshaping \[3,4,4,4\]"),
    ],
)
def test_what_the_list_cannot_know_is_refused_by_the_parser(tensorrt: ModuleType, nodes: str, refusal: str) -> None:
    with pytest.raises(NoEngine, match=rf"^tried: TensorRT [\d.]+ {refusal}") as told:
        engine_of(tensorrt, "tried", graph_of(nodes), 3, INSTALLED)
    assert "\n" not in str(told.value)


def test_the_list_refuses_what_the_parser_would_only_round(tensorrt: ModuleType) -> None:
    graph = graph_of("d = Cast<to=11>(x) e = Sqrt(d) r = Cast<to=1>(e)")

    assert engine_from_onnx(tensorrt, "tried", graph.SerializeToString(), 3, 8).size > 0
    with pytest.raises(NotPortable, match=r"node 0 \(Cast\) has d as DOUBLE"):
        engine_of(tensorrt, "tried", graph, 3, INSTALLED)


def test_without_tensorrt_there_is_none_and_a_broken_one_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt_rtx_bindings", None)
    assert library() is None
    monkeypatch.delitem(sys.modules, "tensorrt_rtx_bindings")
    (tmp_path / "tensorrt_rtx_bindings.py").write_text("raise ImportError('libtensorrt_rtx.so.1: cannot open')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=r"does not load: libtensorrt_rtx\.so\.1: cannot open\. Install"):
        library()


def test_a_pipeline_that_names_no_published_width_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(room("tissue", "network"), "published")

    with pytest.raises(ValueError, match="tissue has no published width"):
        list(published_graphs(["tissue"]))


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no model in .* has a graph"), (b"graph", "is no ONNX graph"), (b"", "is no ONNX graph")],
)
def test_a_repository_without_a_graph_is_told(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        path = tmp_path / "a_network" / "1" / "model.onnx"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        (tmp_path / "a_network" / "config.pbtxt").touch()
    with pytest.raises(ValueError, match=message) as told:
        list(served_graphs(tmp_path))
    assert "\n" not in str(told.value)


def test_the_table_has_a_row_a_graph(tensorrt: ModuleType) -> None:
    command = [sys.executable, "-m", "histoserve.export.engines"]

    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout

    assert {line.split()[1] for line in printed.splitlines()[2:]} == {model for model, *_ in served_graphs(INSTALLED)}
