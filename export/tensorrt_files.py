"""What `histoserve export --tensorrt` writes beside a graph: its config, one for plans, and an engine built here.

graph ─▶ config.pbtxt (ONNX Runtime with TensorRT), configs/tensorrt.pbtxt (plans), engines/….engine (RTX, portable)
"""

from dataclasses import replace
from pathlib import Path

import onnx
from google.protobuf import text_format

from histoserve.export.accelerated import (
    CACHE,
    CONFIGS,
    NAME,
    accelerated,
    of_plans,
    plans_in,
    shapes_of,
)
from histoserve.export.around import require_padding
from histoserve.export.config import HEADER
from histoserve.export.engines import engine_of, side_of
from histoserve.export.repository import Change
from histoserve.export.tensorrt import CAPABILITIES, library


def with_tensorrt(repository: Path, change: Change, cache: str = CACHE) -> Change:
    """The same for a GPU. GraphDoesNotFit where the stages around do not fill batches up."""
    require_padding(change.config, repository)
    graph, version = onnx.load_from_string(change.files[change.graph]), change.graph.parent
    rows, digest = max(change.config.max_batch_size, 1), change.config.parameters["graph_sha256"].string_value
    config = accelerated(change.config, shapes_of(graph, rows, side_of(change.model, repository)), cache)
    plans = of_plans(change.config, plans_in(version, digest, rows))
    folder = version.parent
    files = {
        folder / "config.pbtxt": (HEADER + text_format.MessageToString(config)).encode(),
        folder / CONFIGS / NAME: (HEADER + text_format.MessageToString(plans)).encode(),
    }
    if trt := library():
        engine = engine_of(trt, change.model, graph, rows, repository)
        files[version / "engines" / engine_name(digest, trt.__version__)] = engine.content
    return replace(change, config=config, files={**change.files, **files})


def engine_name(graph: str, version: str) -> str:
    """Of TensorRT for RTX: its engines are for several kinds of GPU at once."""
    return f"{graph[:16]}-rtx{version}-{'-'.join(each.lower() for each in CAPABILITIES)}.engine"
