"""TensorRT for RTX: an engine of a graph, or which node it refuses and why. The only file that knows TensorRT.

It compiles ahead of time, on any machine and without a GPU. Nothing can be run of an engine here.
"""

import importlib
import re
import time
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

CAPABILITIES = ("SM80", "SM86", "SM89", "SM120")
"""Of the GPUs that an engine is for: Ampere, Ada, Blackwell. It knows no Hopper."""


class NoEngine(ValueError):
    """TensorRT makes no engine of the graph."""


@dataclass(frozen=True)
class Engine:
    """What was built of one graph."""

    layers: int
    """As parsed"""
    size: int
    """Bytes"""
    seconds: float
    """Of one processor, to parse and build"""
    content: bytes = field(repr=False)
    """What a runtime of the same version loads"""

    def __str__(self) -> str:
        return f"{self.layers} layers, an engine of {self.size / 2**20:.1f} MiB in {self.seconds:.1f} s"


def library_of_gpu() -> ModuleType:
    """TensorRT itself, which builds on a GPU for that kind of GPU; ValueError where it is not, or does not load."""
    try:
        return importlib.import_module("tensorrt")
    except ImportError as error:
        raise ValueError(
            f"a plan is built by TensorRT on the GPU that it is for: pip install tensorrt ({error})"
        ) from error


def library() -> ModuleType | None:
    """None where the extra `[tensorrt]` is not installed; ValueError if it is, and does not load."""
    try:
        import tensorrt_rtx_bindings
    except ModuleNotFoundError as error:
        if error.name == "tensorrt_rtx_bindings":
            return None
        raise
    except ImportError as error:
        raise ValueError(
            f"TensorRT is installed, but does not load: {error}. Install tensorrt-rtx-cu13-libs of the same version,"
            " or take out tensorrt-rtx-cu13-bindings"
        ) from error
    return tensorrt_rtx_bindings


def engine_from_onnx(trt: ModuleType, model: str, graph: bytes, rows: int, side: int, portable: bool = True) -> Engine:
    """The engine for requests of exactly `rows` rows, other free axes being `side`; in full float32.

    Not `portable`, it is for the GPU that is here. NoEngine names `model`, the node and the reason.
    """
    start = time.process_time()
    log = Log(trt)
    builder = trt.Builder(log.logger)
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, log.logger)
    if not parser.parse(graph):
        raise NoEngine(f"{model}: TensorRT {trt.__version__} refuses {refusal(parser.get_error(0))}")
    config = builder.create_builder_config()
    config.clear_flag(trt.BuilderFlag.TF32)
    if portable:
        config.num_compute_capabilities = len(CAPABILITIES)
        for number, name in enumerate(CAPABILITIES):
            config.set_compute_capability(getattr(trt.ComputeCapability, name), number)
    config.add_optimization_profile(fixed_shapes(builder, network, rows, side))
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise NoEngine(f"{model}: TensorRT {trt.__version__} builds no engine of {rows} rows: {log.first()}")
    return Engine(network.num_layers, engine.nbytes, time.process_time() - start, bytes(engine))


def fixed_shapes(builder: Any, network: Any, rows: int, side: int) -> Any:
    """A profile whose smallest, usual and largest shapes are one: the engine then has one kernel for each layer."""
    profile = builder.create_optimization_profile()
    for number in range(network.num_inputs):
        tensor = network.get_input(number)
        free = {axis: side if axis else rows for axis, extent in enumerate(tensor.shape) if extent < 0}
        shape = tuple(free.get(axis, extent) for axis, extent in enumerate(tensor.shape))
        profile.set_shape(tensor.name, shape, shape, shape)
    return profile


def refusal(error: Any) -> str:
    """Of a parser's error: node and reason, in a line."""
    lines = [line for line in error.desc().splitlines() if not line.startswith(("Invalid Node", "[checkMacros"))]
    return f"node {error.node_name() or error.node()} ({error.node_operator()}): {plain(' '.join(lines))}"


def plain(text: str) -> str:
    """Without the place in TensorRT's own source."""
    return re.sub(r"\.? In \w+(\(\))? at /.*", "", text).strip()


class Log:
    """Keeps what TensorRT would print."""

    def __init__(self, trt: ModuleType):
        kept: list[str] = []
        severe = (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR)

        class Logger(trt.ILogger):  # type: ignore[name-defined,misc]
            def log(self, severity: Any, message: str) -> None:
                # Of each machine without a GPU it says that there is none.
                if severity in severe and "catchCudaError" not in message:
                    kept.append(message)

        self.logger, self.kept = Logger(), kept

    def first(self) -> str:
        return plain(self.kept[0].splitlines()[0]) if self.kept else "it does not say why"
