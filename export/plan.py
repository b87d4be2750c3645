"""Builds a plan of a served graph for the GPU that is here: `python -m histoserve.export.plan MODEL… --repository DIR`.

A job on a machine with that kind of GPU and the server's version of TensorRT. The plan lies beside the graph, under
graph, compute capability and version, and `configs/tensorrt.pbtxt` of the model names it.
"""

import argparse
from pathlib import Path

from google.protobuf import text_format

from histoserve.ensemble.passport import require_own_graph, sha256_of
from histoserve.export.accelerated import CONFIGS, NAME, of_plans, plan_name, plans_in
from histoserve.export.config import HEADER, read_config
from histoserve.export.deployment import INSTALLED
from histoserve.export.engines import side_of
from histoserve.export.inspect_command import graph_of
from histoserve.export.tensorrt import capability, engine_from_onnx, library_of_servers
from histoserve.export.whole import write_together


def write_plan(model: str, repository: Path, gpu: str) -> Path:
    """Its file; `gpu` is a compute capability, as in "8.9"."""
    path = graph_of(model, repository)
    require_own_graph(path)
    trt, config, graph = library_of_servers(), read_config(path.parents[1]), sha256_of(path)
    rows = max(config.max_batch_size, 1)
    engine = engine_from_onnx(trt, model, path.read_bytes(), rows, side_of(model, repository), capabilities=())
    plan = path.with_name(plan_name(graph, gpu, trt.__version__))
    plans = {**plans_in(path.parent, graph), gpu: plan.name}
    said = HEADER + text_format.MessageToString(of_plans(config, plans))
    write_together({plan: engine.content, path.parents[1] / CONFIGS / NAME: said.encode()})
    return plan


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m histoserve.export.plan", description=__doc__)
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--repository", type=Path, default=INSTALLED)
    asked = parser.parse_args()
    try:
        gpu = capability()
        for model in asked.models:
            print(write_plan(model, asked.repository, gpu), flush=True)
    except (ValueError, OSError) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
