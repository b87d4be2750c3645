"""Plans of served graphs for the GPU that is here: `python -m histoserve.export.plan [MODEL…] --repository DIR`.

    DIR/<model>/<version>/model.onnx ─▶ beside it <graph>-sm<capability>-trt<version>-rows<N>.plan
                                     ─▶ DIR/<model>/configs/tensorrt.pbtxt names it; those of the stages say padded_to

By the server's version of TensorRT, on that kind of GPU. Without MODEL of each that can be asked in one shape alone.
`--out OUT` leaves DIR as it is and makes OUT, a copy with all of it, for `tritonserver --model-repository=OUT
--model-config-name=tensorrt`: whole or not at all, so that a Job which was ended goes on with what it had built.
"""

import argparse
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

from google.protobuf import text_format

from histoserve.ensemble.passport import require_own_graph, sha256_of
from histoserve.export.accelerated import CONFIGS, NAME, of_plans, plan_name, plans_in
from histoserve.export.around import of_one_shape, padded_stages
from histoserve.export.config import HEADER, read_config
from histoserve.export.deployment import INSTALLED
from histoserve.export.engines import graph_files, graph_from_file, graph_of, side_of
from histoserve.export.portable import require_portable
from histoserve.export.tensorrt import capability, engine_from_onnx, library_of_servers
from histoserve.export.whole import write_together


def write_plan(trt: ModuleType, gpu: str, model: str, repository: Path, capabilities: Sequence[str] = ()) -> Path:
    """Its file; `gpu` is a compute capability, as in "8.9". What is there already is not built again."""
    path = graph_of(model, repository)
    require_own_graph(path)
    config, graph = read_config(path.parents[1]), sha256_of(path)
    rows = max(config.max_batch_size, 1)
    plan = path.with_name(plan_name(graph, gpu, trt.__version__, rows))
    plans = {**plans_in(path.parent, graph, rows), gpu: plan.name}
    said = HEADER + text_format.MessageToString(of_plans(config, plans))
    files = {path.parents[1] / CONFIGS / NAME: said.encode(), **padded_stages(config, repository)}
    if not plan.is_file():
        require_portable(model, graph_from_file(path))
        side = side_of(model, repository)
        engine = engine_from_onnx(trt, model, path.read_bytes(), rows, side, capabilities=capabilities)
        files[plan] = engine.content
    write_together(files)
    return plan


def planned(repository: Path) -> list[str]:
    """Models that can be asked in one shape alone; ValueError for a repository without a graph."""
    found = [(model, read_config(path.parents[1])) for model, path, _ in graph_files(repository)]
    return [model for model, config in found if of_one_shape(config, repository)]


def write_repository(
    trt: ModuleType,
    gpu: str,
    repository: Path,
    out: Path,
    models: Sequence[str] = (),
    capabilities: Sequence[str] = (),
) -> Iterator[Path]:
    """Makes `out`, and yields each plan when it is there; nothing to do where `out` is."""
    if out.exists():
        return
    partial = out.with_name(f"{out.name}.partial")
    for path in [repository, *sorted(repository.rglob("*"))]:
        target = partial / path.relative_to(repository)
        if path.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            # Without its mode: of an image's files that may be read-only.
            shutil.copyfile(path, target)
    for model in models or planned(partial):
        yield write_plan(trt, gpu, model, partial, capabilities)
    partial.rename(out)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m histoserve.export.plan", description=__doc__)
    parser.add_argument("models", nargs="*", metavar="MODEL")
    parser.add_argument("--repository", type=Path, default=INSTALLED)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    try:
        trt, gpu = library_of_servers(), capability()
        if asked.out:
            plans = write_repository(trt, gpu, asked.repository, asked.out, asked.models)
        else:
            models = asked.models or planned(asked.repository)
            plans = (write_plan(trt, gpu, model, asked.repository) for model in models)
        for plan in plans:
            print(plan, flush=True)
        if asked.out:
            print(f"{asked.out} is there, to be served with --model-config-name={Path(NAME).stem}")
    except (ValueError, OSError) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
