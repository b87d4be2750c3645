"""Engines as files: of one graph, one GPU, one TensorRT; built once. By TensorRT for RTX, which needs no GPU."""

import hashlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import onnx
import pytest

from histoserve.export.engine_files import build

ON = ("SM89",)
GRAPH = '<ir_version: 10, opset_import: ["" : 18]> tried (float[N,4] x) => (float[N,4] r) {{ {nodes} }}'
CONFIG = 'backend: "onnxruntime" max_batch_size: 3\n'


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two models; TensorRT makes no engine of the second."""
    for name, nodes in {"good_network": "r = Exp(x)", "odd_network": "d = Cast<to=11>(x) r = Cast<to=1>(d)"}.items():
        (tmp_path / "models" / name / "1").mkdir(parents=True)
        (tmp_path / "models" / name / "config.pbtxt").write_text(CONFIG)
        onnx.save(onnx.parser.parse_model(GRAPH.format(nodes=nodes)), tmp_path / "models" / name / "1" / "model.onnx")
    return tmp_path / "models"


def test_an_engine_is_named_after_all_that_it_depends_on_and_built_once(
    tensorrt: ModuleType, repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = repository / "good_network" / "1" / "model.onnx"
    digest = hashlib.sha256(graph.read_bytes()).hexdigest()

    failed = build(tensorrt, "8.9", repository, tmp_path / "out", ON)
    assert len(failed) == 1
    assert failed[0].startswith("odd_network: ")
    [plan] = (tmp_path / "out").rglob("*.*")
    assert plan.relative_to(tmp_path / "out").parts == (
        "good_network",
        f"{digest}-sm8.9-trt{tensorrt.__version__}-rows1-3.plan",
    )
    assert plan.stat().st_size > 1000

    made = plan.stat().st_mtime_ns
    build(tensorrt, "8.9", repository, tmp_path / "out", ON)
    assert plan.stat().st_mtime_ns == made
    assert f"{plan.name} is there" in capsys.readouterr().out


def test_another_graph_gpu_or_number_of_rows_is_another_engine(
    tensorrt: ModuleType, repository: Path, tmp_path: Path
) -> None:
    out, config = tmp_path / "out", repository / "good_network" / "config.pbtxt"
    build(tensorrt, "8.9", repository, out, ON)
    build(tensorrt, "8.6", repository, out, ("SM86",))
    config.write_text(CONFIG.replace("3", "2"))
    build(tensorrt, "8.9", repository, out, ON)
    graph = onnx.parser.parse_model(GRAPH.format(nodes="r = Tanh(x)"))
    onnx.save(graph, repository / "good_network" / "1" / "model.onnx")
    build(tensorrt, "8.9", repository, out, ON)

    assert len(list((out / "good_network").glob("*.plan"))) == 4


def test_the_command_says_in_a_line_what_it_lacks(repository: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "histoserve.export.engine_files", "--repository", repository, "--out", tmp_path]

    done = subprocess.run(command, capture_output=True, text=True, timeout=100)

    # Neither TensorRT of the servers nor a GPU is here.
    assert done.returncode == 1
    assert done.stderr.startswith(("TensorRT is not installed", "no GPU "))
    assert done.stderr.count("\n") == 1


def test_no_torch_is_needed() -> None:
    without = "import sys; sys.modules['torch'] = None; import histoserve.export.engine_files"
    subprocess.run([sys.executable, "-c", without], check=True, timeout=100)
