"""Engines of a repository's graphs as files, for the GPU of this machine: `python -m histoserve.export.engine_files`.

    repository/<model>/<version>/model.onnx ─▶ OUT/<model>/<graph's sha256>-sm<capability>-trt<version>-rows<1-N>.plan

An engine is of one graph, one kind of GPU and one TensorRT. What is there already is not built again, so that a Job
which was ended goes on, and several kinds of GPU share a folder.
"""

import argparse
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from histoserve.export.engines import graph_files, graph_from_file, side_of
from histoserve.export.portable import require_portable
from histoserve.export.tensorrt import capability, engine_from_onnx, library_of_servers
from histoserve.export.whole import write_whole


def engine_name(trt: ModuleType, gpu: str, graph: bytes, rows: int) -> str:
    """Of the file: all that an engine depends on. `gpu` is its compute capability, as in "8.9"."""
    return f"{hashlib.sha256(graph).hexdigest()}-sm{gpu}-trt{trt.__version__}-rows1-{rows}.plan"


def build(trt: ModuleType, gpu: str, repository: Path, out: Path, capabilities: Sequence[str] = ()) -> list[str]:
    """Builds what `out` lacks, prints a line each; returns why some were not built. ValueError if there is no graph."""
    failed = []
    for model, path, rows in graph_files(repository):
        content, rows = path.read_bytes(), max(rows, 1)
        target = out / model / engine_name(trt, gpu, content, rows)
        if target.is_file():
            print(f"{model}: {target.name} is there", flush=True)
            continue
        try:
            require_portable(model, graph_from_file(path))
            side = side_of(model, repository)
            engine = engine_from_onnx(trt, model, content, rows, side, least=1, capabilities=capabilities)
        except ValueError as error:
            failed.append(str(error))
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        # As a whole or not at all: a Job may be ended at any time.
        write_whole(target, engine.content)
        print(f"{model}: {target.name}, {engine}", flush=True)
    return failed


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m histoserve.export.engine_files", description=__doc__)
    parser.add_argument("--repository", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    try:
        failed = build(library_of_servers(), capability(), asked.repository, asked.out)
    except (OSError, ValueError) as error:
        failed = [str(error)]
    for each in failed:
        print(each, file=sys.stderr)
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
