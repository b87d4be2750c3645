"""Plans: of one graph, one GPU, one TensorRT, one batch; built once. By TensorRT for RTX, which needs no GPU."""

import hashlib
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import ModuleType

import onnx
import pytest
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from histoserve.ensemble.padding import padded_to
from histoserve.export.plan import planned, write_plan, write_repository

ON = ("SM89",)
GRAPH = '<ir_version: 10, opset_import: ["" : 18]> tried (uint8[N,4] IMAGE) => (float[N,4] r)'
GRAPH += " {{ x = Cast<to=1>(IMAGE) {} }}"
GOOD, BAD = "r = Exp(x)", "d = Cast<to=11>(x) r = Cast<to=1>(d)"
NETWORK = 'backend: "onnxruntime" max_batch_size: 3 input { name: "IMAGE" data_type: TYPE_UINT8 dims: [ 4 ] }\n'
DECODE = 'backend: "python" output { name: "IMAGE" data_type: TYPE_UINT8 dims: [ -1, 4 ] }\n'
ROWS = 'backend: "python" input { name: "DECODER" data_type: TYPE_INT32 dims: [ -1, 1 ] }\n'
SLIDE = 'backend: "python" input { name: "MPP" data_type: TYPE_FP32 dims: [ 1 ] }\n'
STEPS = """
platform: "ensemble"
ensemble_scheduling {
  step { model_name: "NAME_decode" output_map { key: "IMAGE" value: "i" } output_map { key: "NETWORK" value: "d" } }
  step { model_name: "NAME_network" input_map { key: "IMAGE" value: "i" } output_map { key: "r" value: "r" } }
  step { model_name: "NAME_rows" input_map { key: "R" value: "r" } input_map { key: "DECODER" value: "d" } }
  step { model_name: "NAME_encoder" input_map { key: "OTHER" value: "r" } }
}
"""
CONFIGS = {"decode": DECODE, "network": NETWORK, "rows": ROWS, "slide": SLIDE, "tiles": STEPS}
"""Beside these stands an encoder, whose batches nothing can fill up."""


def config_of(model: Path) -> ModelConfig:
    """That which goes with plans."""
    return text_format.Parse((model / "configs" / "tensorrt.pbtxt").read_text(), ModelConfig())


def put(model: Path, nodes: str, config: str) -> None:
    (model / "1").mkdir(parents=True, exist_ok=True)
    (model / "config.pbtxt").write_text(config)
    onnx.save(onnx.parser.parse_model(GRAPH.format(nodes)), model / "1" / "model.onnx")


def pipeline(models: Path, name: str, nodes: str) -> None:
    for model, config in CONFIGS.items():
        (models / f"{name}_{model}" / "1").mkdir(parents=True)
        (models / f"{name}_{model}" / "config.pbtxt").write_text(config.replace("NAME", name))
    put(models / f"{name}_network", nodes, NETWORK)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    pipeline(tmp_path / "models", "good", GOOD)
    put(tmp_path / "models" / "good_encoder", BAD, NETWORK.replace("IMAGE", "OTHER"))
    return tmp_path / "models"


def test_a_plan_is_named_by_the_config_beside_it_and_the_stages_fill_up_its_batches(
    tensorrt: ModuleType, repository: Path
) -> None:
    before = files(repository)
    graph = hashlib.sha256((repository / "good_network" / "1" / "model.onnx").read_bytes()).hexdigest()

    plan = write_plan(tensorrt, "8.9", "good_network", repository, ON)

    assert plan.parent == repository / "good_network" / "1"
    assert plan.name == f"{graph[:16]}-sm8.9-trt{tensorrt.__version__}-rows3.plan"
    assert plan.stat().st_size > 1000
    assert dict(config_of(repository / "good_network").cc_model_filenames) == {"8.9": plan.name}
    for stage in ("good_decode", "good_rows"):
        said = config_of(repository / stage).parameters["padded_to"].string_value
        assert padded_to({"parameters": {"padded_to": {"string_value": said}}}) == 3
    assert not (repository / "good_slide" / "configs").exists()
    assert before.items() <= files(repository).items()


def test_another_graph_gpu_or_batch_is_another_plan_and_the_same_is_not_built_again(
    tensorrt: ModuleType, repository: Path
) -> None:
    model = repository / "good_network"
    plan = partial(write_plan, tensorrt, model="good_network", repository=repository)
    made = [plan("8.9", capabilities=ON)]
    built = made[0].stat().st_mtime_ns
    assert plan("8.9", capabilities=ON).stat().st_mtime_ns == built
    made.append(plan("8.6", capabilities=("SM86",)))
    assert set(config_of(model).cc_model_filenames) == {"8.6", "8.9"}
    put(model, GOOD, NETWORK.replace("3", "2"))
    made.append(plan("8.9", capabilities=ON))
    put(model, "r = Tanh(x)", NETWORK)
    made.append(plan("8.9", capabilities=ON))
    assert len(set(made)) == 4
    assert dict(config_of(model).cc_model_filenames) == {"8.9": made[-1].name}


def test_a_repository_with_plans_is_there_as_a_whole_or_not_at_all(
    tensorrt: ModuleType, repository: Path, tmp_path: Path
) -> None:
    out = tmp_path / "engines" / "key"
    assert planned(repository) == ["good_network"]
    pipeline(repository, "odd", BAD)
    make = partial(write_repository, tensorrt, "8.9", repository, out, (), ON)
    with pytest.raises(ValueError, match=r"^odd_network: "):
        list(make())
    assert not out.exists()
    [first] = out.parent.rglob("*.plan")
    built = first.stat().st_mtime_ns
    put(repository / "odd_network", GOOD, NETWORK)
    before = files(repository)
    assert len(list(make())) == 2
    assert {path.stat().st_mtime_ns == built for path in out.glob("good_network/1/*.plan")} == {True}
    assert before.items() <= files(out).items()
    assert [path.name for path in out.parent.iterdir()] == ["key"]
    assert list(make()) == []
    assert not list(repository.rglob("*.plan"))


def test_files_that_cannot_be_written_are_copied_as_such_that_can(
    tensorrt: ModuleType, repository: Path, tmp_path: Path
) -> None:
    for path in (repository, *repository.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)

    list(write_repository(tensorrt, "8.9", repository, tmp_path / "out", (), ON))

    assert all(path.stat().st_mode & 0o200 for path in (tmp_path / "out").rglob("*"))


@pytest.mark.parametrize("out", [[], ["--out", "out"]])
def test_the_command_says_in_a_line_what_it_lacks(repository: Path, tmp_path: Path, out: list[str]) -> None:
    command = [sys.executable, "-m", "histoserve.export.plan", "--repository", repository, *out]

    done = subprocess.run(command, capture_output=True, text=True, timeout=100, cwd=tmp_path)

    # Neither TensorRT of the servers nor a GPU is here.
    assert done.returncode == 1
    assert done.stderr.startswith(("TensorRT is not installed", "no GPU "))
    assert done.stderr.count("\n") == 1


def test_no_torch_is_needed() -> None:
    without = "import sys; sys.modules['torch'] = None; import histoserve.export.plan"
    subprocess.run([sys.executable, "-c", without], check=True, timeout=100)
