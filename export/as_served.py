"""Slides analysed by a server that has other weights than the installed ones; nothing that is installed changes.

weights ─▶ export into a copy of the repository ─▶ a server of its own ⇠ `histoserve analyze` ─▶ results

`python -m histoserve.export.as_served PIPELINE WEIGHTS OUT SLIDE… [--precision fp16 --tiles FOLDER]` does that.
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from histoserve.deploy.local.triton import LocalTriton, LocalTritonError
from histoserve.export.commands import export
from histoserve.export.repository import INSTALLED


def analysed(
    pipeline: str,
    weights: Path,
    slides: Sequence[Path],
    out: Path,
    precision: str = "fp32",
    tiles: Path | None = None,
    mpp: str | None = None,
) -> None:
    """Leaves `out/<slide>/<pipeline>/`, as `analyze` does; what is there already, of the same weights, stays.

    Raises ValueError for weights that are none of the pipeline, a server that does not start, and slides of which
    anything could not be analysed.
    """
    with TemporaryDirectory(prefix="histoserve-") as folder:
        repository = Path(folder) / "repository"
        shutil.copytree(INSTALLED, repository)
        export(pipeline, weights, repository, precision=precision, tiles=tiles)
        try:
            with LocalTriton(repository, models=[f"{pipeline}_tiles", f"{pipeline}_slide"]) as server:
                command = [sys.executable, "-m", "histoserve", "analyze", *map(str, slides)]
                options = [
                    "--pipeline",
                    pipeline,
                    "-o",
                    str(out),
                    "--server",
                    server.grpc,
                    "--quiet",
                    *(["--mpp", mpp] if mpp else []),
                ]
                code = subprocess.run([*command, *options]).returncode
        except LocalTritonError as error:
            raise ValueError(f"{weights} cannot be served: {error}") from error
    if code:
        raise ValueError(f"{pipeline} of {weights} did not analyse all of {len(slides)} slides: see {out}/summary.csv")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m histoserve.export.as_served", description=__doc__)
    parser.add_argument("pipeline")
    for name in ("weights", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("slides", nargs="+", type=Path)
    parser.add_argument("--mpp", help="of pictures that say none")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--tiles", type=Path)
    analysed(**vars(parser.parse_args()))
