"""`histoserve export --tensorrt`: what its configs ask for, and that a plain export takes it back."""

import ctypes
import json
import shutil
import sys
from pathlib import Path
from types import ModuleType

import onnx
import pytest
from google.protobuf import json_format, text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from histoserve.deploy.local.backends.onnxruntime.session import execution_providers
from histoserve.export.accelerated import accelerated, plain, plan_name, plans_in, require_plan, shapes_of
from histoserve.export.commands import export
from histoserve.export.config import GraphDoesNotFit, read_config
from histoserve.export.repository import INSTALLED
from histoserve.export.tensorrt import capability, library_of_servers

SHA = "ffe9280d6e7701953ef2804b0858ee035a9b9f6f0855da0b60b53dfb18c25e28"
AVAILABLE = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]


@pytest.fixture
def config() -> ModelConfig:
    return read_config(INSTALLED / "tissue_network")


def as_triton_says(config: ModelConfig) -> dict:
    """As a backend gets it."""
    return json.loads(json_format.MessageToJson(config, preserving_proto_field_name=True))


def test_one_shape_an_engine_of_this_graph_and_no_tf32(config: ModelConfig) -> None:
    shapes = shapes_of(onnx.load(INSTALLED / "tissue_network" / "1" / "model.onnx"), 32, 224)
    asked = accelerated(config, shapes, "/volume")

    first, second, last = execution_providers(as_triton_says(asked), "GPU", 1, AVAILABLE)

    profile = "IMAGE:32x224x224x3"
    assert first[1] == {
        "device_id": "1",
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": f"/volume/{asked.parameters['graph_sha256'].string_value[:16]}",
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": "/volume",
        **{f"trt_profile_{each}_shapes": profile for each in ("min", "opt", "max")},
    }
    assert second == (
        "CUDAExecutionProvider",
        {"device_id": "1", "use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"},
    )
    assert last[0] == "CPUExecutionProvider"
    assert not asked.HasField("dynamic_batching")
    assert {group.kind for group in asked.instance_group} == {1}
    assert plain(asked) == plain(config) == config


@pytest.mark.parametrize(("accelerator", "key"), [("tensorrt", "trt_engine_hw_compatible"), ("cuda", "use_tf_32")])
def test_a_key_that_nvidias_backend_does_not_know_is_refused(config: ModelConfig, accelerator: str, key: str) -> None:
    asked = accelerated(config, {"IMAGE": (1, 2, 2, 3)})
    for each in asked.optimization.execution_accelerators.gpu_execution_accelerator:
        if each.name == accelerator:
            each.parameters[key] = "1"
    with pytest.raises(ValueError, match=f"parameter of the accelerator {accelerator}: wanted one of .* got '{key}'"):
        execution_providers(as_triton_says(asked), "CPU", 0, AVAILABLE)


def put(repository: Path, models: tuple[str, ...], rows: int) -> None:
    for model in models:
        with (repository / model / "config.pbtxt").open("a") as file:
            file.write(f'parameters {{ key: "padded_to" value {{ string_value: "{rows}" }} }}\n')


def test_an_export_writes_both_configs_and_an_engine_and_a_plain_one_takes_them_back(
    tensorrt: ModuleType, tmp_path: Path
) -> None:
    repository = tmp_path / "repository"
    for model in INSTALLED.glob("tissue_*"):
        shutil.copytree(model, repository / model.name)
    before = (repository / "tissue_network" / "config.pbtxt").read_bytes()
    put(repository, ("tissue_decode",), 32)
    with pytest.raises(GraphDoesNotFit, match=r'^tissue_rows has padded_to none, .* 32 rows: put .*"padded_to"'):
        export("tissue", None, repository, tensorrt=True)
    assert (repository / "tissue_network" / "config.pbtxt").read_bytes() == before
    put(repository, ("tissue_rows",), 32)
    export("tissue", None, repository, tensorrt=True)
    folder = repository / "tissue_network"
    plans = text_format.Parse((folder / "configs" / "tensorrt.pbtxt").read_text(), ModelConfig())
    assert (plans.backend, plans.default_model_filename, plans.max_batch_size) == ("tensorrt", "model.plan", 32)
    assert "tensorrt" in read_config(folder).parameters
    (engine,) = (folder / "1" / "engines").iterdir()
    assert f"rtx{tensorrt.__version__}-sm80" in engine.name
    assert engine.name[:16] == read_config(folder).parameters["graph_sha256"].string_value[:16]
    assert engine.stat().st_size > 2**20
    export("tissue", None, repository)
    assert (folder / "config.pbtxt").read_bytes() == before


def test_a_plan_is_of_one_graph_one_kind_of_gpu_one_version_and_one_batch(tmp_path: Path) -> None:
    name = plan_name(SHA, "8.9", "10.16.1.11", 32)
    (tmp_path / name).write_bytes(b"plan")
    assert plans_in(tmp_path, SHA, 32) == {"8.9": name}
    assert plans_in(tmp_path, SHA, 16) == {}
    assert require_plan(tmp_path, SHA, "8.9", "10.16.1.11", 32).name == name
    right: tuple[str, str, str, int] = (SHA, "8.9", "10.16.1.11", 32)
    for place, other in enumerate(("0" * 64, "9.0", "11.4.0.106", 16)):
        with pytest.raises(ValueError, match=f"no plan of graph .* there are: {name}") as told:
            require_plan(tmp_path, *right[:place], other, *right[place + 1 :])  # type: ignore[arg-type]
        assert "\n" not in str(told.value)
    (tmp_path / plan_name(SHA, "8.9", "11.4.0.106", 32)).write_bytes(b"plan")
    with pytest.raises(ValueError, match="a server has one TensorRT"):
        plans_in(tmp_path, SHA, 32)


def test_a_plan_is_built_on_a_gpu_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacks(name: str) -> None:
        raise OSError(f"{name}: no such file")

    monkeypatch.setattr(ctypes, "CDLL", lacks)
    with pytest.raises(ValueError, match="no GPU can be asked here"):
        capability()
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(ValueError, match="TensorRT is not installed"):
        library_of_servers()
