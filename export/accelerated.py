"""A model's config for TensorRT: by ONNX Runtime's backend, or as a plan by Triton's own.

    graph, config ─▶ config.pbtxt           onnxruntime: TensorRT, CUDA for what it leaves, engines kept on a volume
                  ╰▶ configs/tensorrt.pbtxt tensorrt: a plan a kind of GPU (tritonserver --model-config-name=tensorrt)

One shape alone, so that a row does not depend on those beside it: `padded_to` in the configs of the stages around fills
batches up. TF32 is off: for CUDA here, for TensorRT by NVIDIA_TF32_OVERRIDE=0, which ONNX Runtime has no option for.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import onnx
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelInstanceGroup

from histoserve.ensemble.padding import DECODER, IMAGE, PARAMETER
from histoserve.export.config import GraphDoesNotFit, read_config

CACHE = "/engines"
"""Where a volume is expected: an engine takes minutes to build, and a timing cache makes the next one quicker."""
MARK = "tensorrt"
"""The parameter by which a config is known to be ours, so that an export without TensorRT takes it back."""
HEURISTIC = "1"
"""Of `cudnn_conv_algo_search`, which the C++ backend takes from the model's own parameters alone, else exhaustive."""
CONFIGS, NAME = "configs", "tensorrt.pbtxt"
PLAN = re.compile(r"(?P<graph>[0-9a-f]{16})-sm(?P<capability>\d+\.\d+)-trt(?P<version>[0-9.]+)-rows(?P<rows>\d+)\.plan")


def shapes_of(graph: onnx.ModelProto, rows: int, side: int) -> dict[str, tuple[int, ...]]:
    """Of each input: the batch `rows`, other free axes `side`."""
    found = {}
    for tensor in graph.graph.input:
        axes = [axis.dim_value for axis in tensor.type.tensor_type.shape.dim]
        found[tensor.name] = tuple(each or (side if place else rows) for place, each in enumerate(axes))
    return found


def accelerated(config: ModelConfig, shapes: Mapping[str, tuple[int, ...]], cache: str = CACHE) -> ModelConfig:
    """The same by TensorRT through ONNX Runtime."""
    result = plain(config)
    graph = config.parameters["graph_sha256"].string_value
    if not graph:
        raise ValueError(f"{config.name}: its config names no graph_sha256, and an engine is of one graph: export it")
    on_gpu(result)
    result.ClearField("dynamic_batching")
    result.parameters[MARK].string_value = "1"
    result.parameters["cudnn_conv_algo_search"].string_value = HEURISTIC
    profile = ",".join(f"{name}:{'x'.join(map(str, shape))}" for name, shape in shapes.items())
    tensorrt = result.optimization.execution_accelerators.gpu_execution_accelerator.add(name="tensorrt")
    tensorrt.parameters.update(
        {
            "precision_mode": "FP32",
            "trt_engine_cache_enable": "1",
            # ONNX Runtime names an engine by nodes and shapes, not by weights: another graph needs another folder.
            "trt_engine_cache_path": f"{cache}/{graph[:16]}",
            "trt_timing_cache_enable": "1",
            "trt_timing_cache_path": cache,
            **{f"trt_profile_{each}_shapes": profile for each in ("min", "opt", "max")},
        }
    )
    cuda = result.optimization.execution_accelerators.gpu_execution_accelerator.add(name="cuda")
    cuda.parameters["use_tf32"] = "0"
    return result


def plain(config: ModelConfig) -> ModelConfig:
    """Without what `accelerated` put there; what somebody else did stays."""
    result = ModelConfig()
    result.CopyFrom(config)
    if MARK not in result.parameters:
        return result
    for name in (MARK, "cudnn_conv_algo_search"):
        result.parameters.pop(name, None)
    result.optimization.ClearField("execution_accelerators")
    if not result.optimization.ListFields():
        result.ClearField("optimization")
    if result.max_batch_size:
        result.dynamic_batching.SetInParent()
    for group in result.instance_group:
        group.ClearField("kind")
    return result


def on_gpu(config: ModelConfig) -> None:
    if not config.instance_group:
        config.instance_group.add(count=1)
    for group in config.instance_group:
        group.kind = ModelInstanceGroup.KIND_GPU


def of_plans(config: ModelConfig, plans: Mapping[str, str]) -> ModelConfig:
    """The same by Triton's TensorRT; `plans` are file names by compute capability, as "8.9"."""
    result = plain(config)
    for field in ("platform", "default_model_filename", "dynamic_batching", "optimization", "cc_model_filenames"):
        result.ClearField(field)
    result.backend, result.default_model_filename = "tensorrt", "model.plan"
    on_gpu(result)
    result.cc_model_filenames.update(plans)
    return result


def plan_name(graph: str, capability: str, version: str, rows: int) -> str:
    """Of the graph of this sha256 for `rows`, built by this TensorRT on a GPU of this compute capability."""
    return f"{graph[:16]}-sm{capability}-trt{version}-rows{rows}.plan"


def plans_in(folder: Path, graph: str, rows: int) -> dict[str, str]:
    """Plans of the graph of this sha256 for `rows`, by compute capability; ValueError for those of two versions of
    TensorRT.
    """
    found: dict[str, str] = {}
    for path in sorted(folder.glob("*.plan")):
        said = PLAN.fullmatch(path.name)
        if said and said["graph"] == graph[:16] and int(said["rows"]) == rows:
            other = found.setdefault(said["capability"], path.name)
            if other != path.name:
                raise ValueError(f"{folder} has {other} and {path.name}: a server has one TensorRT, take one out")
    return found


def require_plan(folder: Path, graph: str, capability: str, version: str, rows: int) -> Path:
    """ValueError, naming what there is, for a plan of another graph, kind of GPU, version of TensorRT, or batch."""
    path = folder / plan_name(graph, capability, version, rows)
    if not path.is_file():
        known = ", ".join(each.name for each in sorted(folder.glob("*.plan"))) or "none"
        raise ValueError(
            f"no plan of graph {graph[:16]} for {rows} rows, a GPU of compute capability {capability} and TensorRT"
            f" {version} in {folder}; there are: {known}. Build it on that GPU: python -m histoserve.export.plan"
        )
    return path


def stages_around(config: ModelConfig, repository: Path) -> Iterator[tuple[Path, ModelConfig]]:
    """Config of each stage that makes the model's batches or takes its rows, and its file."""
    for path in sorted(repository.glob(f"{config.name.partition('_')[0]}_*/config.pbtxt")):
        stage = read_config(path.parent)
        makes, takes = any(t.name == IMAGE for t in stage.output), any(t.name == DECODER for t in stage.input)
        if stage.backend == "python" and (makes or takes):
            yield path, stage


def require_padding(config: ModelConfig, repository: Path) -> None:
    """GraphDoesNotFit unless all stages around the model fill batches up to the rows that it is compiled for."""
    rows = config.max_batch_size
    for path, stage in stages_around(config, repository):
        said = stage.parameters[PARAMETER].string_value if PARAMETER in stage.parameters else "none"
        if said != str(rows):
            raise GraphDoesNotFit(
                f"{stage.name} has {PARAMETER} {said}, and {config.name} is compiled for {rows} rows: put"
                f' parameters {{ key: "{PARAMETER}" value {{ string_value: "{rows}" }} }} into {path}'
            )


def padded_stages(config: ModelConfig, repository: Path) -> dict[Path, bytes]:
    """File → content: the stages' configs that go with the model's plan, and fill batches up to its rows."""
    files = {}
    for path, stage in stages_around(config, repository):
        stage.parameters[PARAMETER].string_value = str(config.max_batch_size)
        said = f"# As ../{path.name}, for the plan of {config.name}.\n{text_format.MessageToString(stage)}"
        files[path.parent / CONFIGS / NAME] = said.encode()
    return files
