"""`histoserve inspect`: a graph's cost by hand, and what of a repository is told or refused."""

import json
import shutil
from pathlib import Path

import onnx
import pytest

from histoserve.ensemble.passport import require_own_graph
from histoserve.export.cost import Cost, cost_of, run_for_shapes, shapes_of
from histoserve.export.golden import arrays_in, parts
from histoserve.export.golden_check import golden_said
from histoserve.export.inspect_command import inspect, passport_in
from histoserve.export.passports import write_passport
from histoserve.export.repository import INSTALLED

HEAD = '<ir_version: 8, opset_import: ["" : 18]>'


@pytest.mark.parametrize(
    ("nodes", "cost"),
    [
        # x 64 bytes, w 72, c 32, y 32; 8 numbers of 9 multiplications each.
        ("c = Conv(x, w) y = Relu(c)", Cost(flop=2 * 8 * 9, traffic=64 + 72 + 32 + 32 + 32, memory=64 + 32)),
        # 4 × 4 by 4 × 4 in one plane.
        ("y = MatMul(x, x)", Cost(flop=2 * 16 * 4, traffic=3 * 64, memory=2 * 64)),
        ('y = Einsum<equation="nchw,ncvw->nhv">(x, x)', Cost(flop=2 * 4 * 4 * 4, traffic=3 * 64, memory=2 * 64)),
    ],
    ids=["Conv", "MatMul", "Einsum"],
)
def test_a_cost_that_is_counted_by_hand(nodes: str, cost: Cost) -> None:
    weights = f"<float[2,1,3,3] w = {{{','.join('1' * 18)}}}>"
    graph = onnx.parser.parse_model(f"{HEAD} g (float[N,1,4,4] x) => (float y) {weights} {{ {nodes} }}")
    assert cost_of(graph, 4) == cost


def test_what_is_served_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    inspect("peakmap_classifier", None, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["version"], told["precision"]) == (1, "fp32")
    assert told["graph"]["bytes"] == (INSTALLED / "peakmap_classifier" / "1" / "model.onnx").stat().st_size
    assert told["operators"]["Gemm"] == 1
    assert told["origin"]["weights"] == "weights.pt"
    assert told["origin"]["trained_on"].startswith("phantom smears")
    assert told["parity"]["with_pytorch"]["largest_difference"].keys() == {"PROBABILITY"}
    assert told == json.loads((INSTALLED / "peakmap_classifier" / "1" / "passport.json").read_bytes())
    inspect("peakmap_classifier", None)
    assert "weights_sha256" in capsys.readouterr().out


def test_a_graph_that_is_not_its_passports_is_refused(tmp_path: Path) -> None:
    shutil.copytree(INSTALLED / "peakmap_classifier", tmp_path / "peakmap_classifier")
    path = tmp_path / "peakmap_classifier" / "1" / "model.onnx"
    shutil.copy(INSTALLED / "peakmap_encoder" / "1" / "model.onnx", path)
    with pytest.raises(ValueError, match=r"model\.onnx is not the graph of its passport: its sha256 is \w{64}, "):
        passport_in("peakmap_classifier", tmp_path)


def test_the_passport_of_a_graph_without_one_is_made(tmp_path: Path) -> None:
    model = shutil.copytree(INSTALLED / "peakmap_classifier", tmp_path / "peakmap_classifier")
    for name in ("passport.json", "origin.json"):
        (model / "1" / name).unlink()
    told, shipped = passport_in(model.name, tmp_path), passport_in(model.name, INSTALLED)
    assert told["origin"]["weights"] is None
    assert not told["parity"]["with_pytorch"]
    assert {name: told[name] for name in ("graph", "operators", "weight_bytes")} == {
        name: shipped[name] for name in ("graph", "operators", "weight_bytes")
    }


@pytest.mark.parametrize("model", sorted(path.parents[1].name for path in INSTALLED.glob("*/1/model.onnx")))
def test_every_shipped_graph_has_a_passport_and_golden_outputs_which_are_its_own(model: str) -> None:
    folder = INSTALLED / model / "1"
    require_own_graph(folder / "model.onnx")
    passport = json.loads((folder / "passport.json").read_bytes())
    arrays = arrays_in(folder / "golden.npz")
    assert golden_said(folder) == passport["golden"]
    assert passport["made_of"] == {each.key: each.value for each in onnx.load(folder / "model.onnx").metadata_props}
    assert passport["runtimes"].keys() >= {"ONNX Runtime 1.31.1"}
    assert parts(arrays, "output/").keys() == set(passport["outputs"]) - {"BOX"}


@pytest.mark.parametrize("model", sorted(path.parents[1].name for path in INSTALLED.glob("*/1/model.onnx")))
def test_shapes_by_rules_are_those_of_a_run(model: str) -> None:
    graph = onnx.load(INSTALLED / model / "1" / "model.onnx")
    made = [name for node in graph.graph.node for name in node.output if name]
    for tensor in graph.graph.input:
        for place, axis in enumerate(tensor.type.tensor_type.shape.dim):
            axis.dim_value = axis.dim_value or (96 if place else 1)
    shapes = shapes_of(graph, 96)
    ran = run_for_shapes(graph, made)
    assert {name: shapes[name] for name in made} == ran


def test_a_passport_is_written_anew_for_a_graph_from_elsewhere(tmp_path: Path) -> None:
    model = shutil.copytree(INSTALLED / "peakmap_encoder", tmp_path / "peakmap_encoder")
    shutil.copytree(INSTALLED / "peakmap_decode", tmp_path / "peakmap_decode")
    # The last bits of an output depend on the processor, so those of another machine may not come again.
    write_passport(model.name, tmp_path)
    before = {path: path.read_bytes() for path in model.rglob("*") if path.is_file()}
    write_passport(model.name, tmp_path)
    assert {path: path.read_bytes() for path in before} == before
    graph = onnx.load(model / "1" / "model.onnx")
    graph.metadata_props.add(key="weights_sha256", value="another's")
    del graph.metadata_props[0]
    onnx.save(graph, model / "1" / "model.onnx")
    write_passport(model.name, tmp_path)
    told = passport_in(model.name, tmp_path)
    assert not told["parity"]["with_pytorch"]
    assert told["origin"]["trained_on"] is None


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("nuclei_decode", "has no graph at .*it is a stage"),
        ("nope", "no model nope in .*: .*nuclei_network, peakmap_cl"),
    ],
)
def test_what_has_no_graph_is_told(model: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        passport_in(model, INSTALLED)


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (f"{HEAD} g (float[N,4] x) => (float y) {{ y = foo.Bar(x) }}", "ONNX Runtime does not load the graph: "),
        (HEAD.replace("18", "99") + " g (float[N,4] x) => (float y) { y = Relu(x) }", "does not load the graph: "),
        (f"{HEAD} g (float[N,4] x) => (float y) {{ y = MatMul(x, x) }}", "does not load the graph: .*Incompat"),
    ],
    ids=["custom operator", "opset too new", "does not run"],
)
def test_a_graph_that_no_runtime_takes_is_told_in_a_line(graph: str, message: str) -> None:
    model = onnx.parser.parse_model(graph)
    with pytest.raises(ValueError, match=message) as told:
        cost_of(model, 4)
    assert "\n" not in str(told.value)
