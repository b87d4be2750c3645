"""A model's config for TensorRT: by ONNX Runtime's backend, or as a plan by Triton's own.

    graph, config ─▶ config.pbtxt           onnxruntime: TensorRT, CUDA for what it leaves, engines kept on a volume
                  ╰▶ configs/tensorrt.pbtxt tensorrt: a plan a kind of GPU (tritonserver --model-config-name=tensorrt)

One shape alone, so that a row does not depend on those beside it: the stages around fill batches up. TF32 is off: for
CUDA here, for TensorRT by NVIDIA_TF32_OVERRIDE=0, which ONNX Runtime has no option for.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import onnx
from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelInstanceGroup

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
