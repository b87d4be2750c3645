"""An ONNX Runtime session as a Triton config asks for it.

Keys and meanings are those of NVIDIA's C++ backend (github.com/triton-inference-server/onnxruntime_backend), so that a
config works with either; `enable_mem_pattern` alone is off unless told. Threads: without `intra_op_thread_count`, or
with 0, ONNX Runtime takes one per physical core *for each instance*, so several instances on a CPU want the count set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnxruntime as ort

LEVELS = {
    "-1": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "0": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
    "1": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "2": ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
}
"""`optimization { graph { level } }`; the numbers are the C++ backend's, 2 is "none" indeed."""
MODES = {"0": ort.ExecutionMode.ORT_SEQUENTIAL, "1": ort.ExecutionMode.ORT_PARALLEL}
SWITCHES = {"0": False, "false": False, "1": True, "true": True}
SESSION_ENTRIES = ("session.use_device_allocator_for_initializers",)
CUDA_PARAMETERS = ("cudnn_conv_algo_search", "gpu_mem_limit", "arena_extend_strategy", "do_copy_in_default_stream")
"""CUDA options that may also stand among the model's own parameters."""
CUDA_CHOICES = {
    "cudnn_conv_algo_search": {"0": "EXHAUSTIVE", "1": "HEURISTIC", "2": "DEFAULT"},
    "arena_extend_strategy": {"0": "kNextPowerOfTwo", "1": "kSameAsRequested"},
}
# fmt: off
CUDA_OPTIONS = [
    "arena_extend_strategy", "cudnn_conv1d_pad_to_nc1d", "cudnn_conv_algo_search", "cudnn_conv_use_max_workspace",
    "do_copy_in_default_stream", "enable_cuda_graph", "enable_skip_layer_norm_strict_mode", "fuse_conv_bias",
    "gpu_mem_limit", "prefer_nhwc", "sdpa_kernel", "tunable_op_enable", "tunable_op_max_tuning_duration_ms",
    "tunable_op_tuning_enable", "use_ep_level_unified_stream", "use_tf32",
]
# fmt: on
"""What ONNX Runtime's CUDA knows, to which the C++ backend passes all on."""
TENSORRT_NAMES = {
    "max_workspace_size_bytes": "trt_max_workspace_size",
    "int8_calibration_table_name": "trt_int8_calibration_table_name",
    "int8_use_native_calibration_table": "trt_int8_use_native_calibration_table",
}
TENSORRT_PRECISIONS = {
    "FP32": None,
    "FP16": "trt_fp16_enable",
    "BF16": "trt_bf16_enable",
    "INT8": "trt_int8_enable",
}
# fmt: off
TENSORRT_OPTIONS = [
    "trt_auxiliary_streams", "trt_build_heuristics_enable", "trt_builder_optimization_level",
    "trt_context_memory_sharing_enable", "trt_cuda_graph_enable", "trt_detailed_build_log", "trt_dla_core",
    "trt_dla_enable", "trt_dump_ep_context_model", "trt_dump_subgraphs", "trt_engine_cache_enable",
    "trt_engine_cache_path", "trt_engine_cache_prefix", "trt_ep_context_embed_mode", "trt_ep_context_file_path",
    "trt_extra_plugin_lib_paths", "trt_force_sequential_engine_build", "trt_force_timing_cache",
    "trt_layer_norm_fp32_fallback", "trt_max_partition_iterations", "trt_min_subgraph_size", "trt_profile_max_shapes",
    "trt_profile_min_shapes", "trt_profile_opt_shapes", "trt_sparsity_enable", "trt_tactic_sources",
    "trt_timing_cache_enable", "trt_timing_cache_path",
]
# fmt: on
"""Passed on as they are."""
TENSORRT_PARAMETERS = {"precision_mode", *TENSORRT_NAMES, *TENSORRT_OPTIONS}
ACCELERATORS = {"gpu_execution_accelerator": ("tensorrt", "cuda"), "cpu_execution_accelerator": ("openvino",)}
"""What the C++ backend knows; it refuses the rest, and so a config that it would refuse is refused here already."""

Provider = tuple[str, dict[str, str]]


def open_session(graph: Path, config: Mapping[str, Any], kind: str, device: int) -> ort.InferenceSession:
    """Load `graph` for one instance of `kind` "CPU", "GPU" or "AUTO" on GPU number `device`.

    Raises ValueError for a setting that does not exist, and what ONNX Runtime raises for a graph it cannot load.
    """
    providers = execution_providers(config, kind, device, ort.get_available_providers())
    if providers[0][0] != "CPUExecutionProvider" and hasattr(ort, "preload_dlls"):
        # CUDA from NVIDIA's Python packages is on no library path.
        ort.preload_dlls()
    return ort.InferenceSession(str(graph), session_options(config), providers=providers)


def graph_file(folder: Path, config: Mapping[str, Any]) -> Path:
    """The graph of a model version; a graph may also be a folder of its own, with its weights beside it."""
    path = folder / (config.get("default_model_filename") or "model.onnx")
    return path / "model.onnx" if path.is_dir() else path


def session_options(config: Mapping[str, Any]) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = _count(config, "intra_op_thread_count")
    options.inter_op_num_threads = _count(config, "inter_op_thread_count")
    options.execution_mode = _choice("execution_mode", _parameter(config, "execution_mode") or "0", MODES)
    level = config.get("optimization", {}).get("graph", {}).get("level", 0)
    options.graph_optimization_level = _choice("optimization.graph.level", str(level), LEVELS)
    arena, pattern = (_parameter(config, key) for key in ("enable_mem_arena", "enable_mem_pattern"))
    if arena is not None:
        options.enable_cpu_mem_arena = _choice("enable_mem_arena", arena.lower(), SWITCHES)
    # Unless told, none: a pattern is one block of memory for each shape, kept beside the arena. The nuclei network held
    # 635 MiB with them after batches of 4, 365 without, and was as fast.
    options.enable_mem_pattern = _choice("enable_mem_pattern", (pattern or "0").lower(), SWITCHES)
    for key in SESSION_ENTRIES:
        value = _parameter(config, key)
        if value is not None:
            options.add_session_config_entry(key, value)
    return options


def run_options(config: Mapping[str, Any]) -> ort.RunOptions | None:
    shrinkage = _parameter(config, "memory.enable_memory_arena_shrinkage")
    if shrinkage is None:
        return None
    options = ort.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", shrinkage)
    return options


def execution_providers(config: Mapping[str, Any], kind: str, device: int, available: Sequence[str]) -> list[Provider]:
    """What runs the graph, the preferred first: on a GPU TensorRT if the config asks for it, then CUDA; the CPU."""
    accelerators = _accelerators(config)
    providers: list[Provider] = []
    if kind in ("GPU", "AUTO"):
        if "tensorrt" in accelerators and "TensorrtExecutionProvider" in available:
            options = _tensorrt_options(accelerators["tensorrt"])
            providers.append(("TensorrtExecutionProvider", {"device_id": str(device), **options}))
        if "CUDAExecutionProvider" in available:
            options = _cuda_options(config, accelerators.get("cuda", {}))
            providers.append(("CUDAExecutionProvider", {"device_id": str(device), **options}))
    return [*providers, ("CPUExecutionProvider", {})]


def _accelerators(config: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The accelerators' parameters by their names; ValueError for what the C++ backend does not know."""
    found: dict[str, dict[str, str]] = {}
    for key, accelerators in config.get("optimization", {}).get("execution_accelerators", {}).items():
        for each in accelerators:
            _choice(key, each["name"], dict.fromkeys(ACCELERATORS.get(key, ())))
            found[each["name"]] = dict(each.get("parameters", {}))
    for accelerator, known in (("tensorrt", sorted(TENSORRT_PARAMETERS)), ("cuda", CUDA_OPTIONS)):
        for name in found.get(accelerator, {}):
            _choice(f"parameter of the accelerator {accelerator}", name, dict.fromkeys(known))
    return found


def _cuda_options(config: Mapping[str, Any], accelerator: Mapping[str, str]) -> dict[str, str]:
    # The model's own win, as with the C++ backend.
    own = {key: value for key in CUDA_PARAMETERS if (value := _parameter(config, key)) is not None}
    return {key: CUDA_CHOICES.get(key, {}).get(value, value) for key, value in {**accelerator, **own}.items()}


def _tensorrt_options(accelerator: Mapping[str, str]) -> dict[str, str]:
    parameters = dict(accelerator)
    precision = _choice("precision_mode", parameters.pop("precision_mode", "FP32"), TENSORRT_PRECISIONS)
    options = {TENSORRT_NAMES.get(key, key): value for key, value in parameters.items()}
    return {**options, precision: "1"} if precision else options


def _parameter(config: Mapping[str, Any], key: str) -> str | None:
    value = config.get("parameters", {}).get(key)
    return None if value is None else str(value["string_value"])


def _count(config: Mapping[str, Any], key: str) -> int:
    value = _parameter(config, key) or "0"
    if not value.isdecimal():
        raise ValueError(f"parameter {key}: wanted a number of threads, 0 for ONNX Runtime's own choice, got {value!r}")
    return int(value)


def _choice(key: str, value: str, choices: Mapping[str, Any]) -> Any:
    if value not in choices:
        raise ValueError(f"{key}: wanted one of {', '.join(choices)}, got {value!r}")
    return choices[value]
