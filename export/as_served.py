"""Slides analysed by a server that has other weights than the installed ones; nothing that is installed changes.

weights ─▶ export into a copy of the repository ─▶ a server of its own ⇠ `histoserve analyze` ─▶ results

`python -m histoserve.export.as_served PIPELINE WEIGHTS OUT SLIDE…` does that.
"""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from histoserve.deploy.local.triton import LocalTriton, LocalTritonError
from histoserve.export.commands import export
from histoserve.export.repository import INSTALLED


def analysed(pipeline: str, weights: Path, slides: Sequence[Path], out: Path) -> None:
    """Leaves `out/<slide>/<pipeline>/`, as `analyze` does; what is there already, of the same weights, stays.

    Raises ValueError for weights that are none of the pipeline, a server that does not start, and slides of which
    anything could not be analysed.
    """
    with TemporaryDirectory(prefix="histoserve-") as folder:
        repository = Path(folder) / "repository"
        shutil.copytree(INSTALLED, repository)
        export(pipeline, weights, repository)
        try:
            with LocalTriton(repository, models=[f"{pipeline}_tiles", f"{pipeline}_slide"]) as server:
                command = [sys.executable, "-m", "histoserve", "analyze", *map(str, slides)]
                options = ["--pipeline", pipeline, "-o", str(out), "--server", server.grpc, "--quiet"]
                code = subprocess.run([*command, *options]).returncode
        except LocalTritonError as error:
            raise ValueError(f"{weights} cannot be served: {error}") from error
    if code:
        raise ValueError(f"{pipeline} of {weights} did not analyse all of {len(slides)} slides: see {out}/summary.csv")


if __name__ == "__main__":
    analysed(sys.argv[1], Path(sys.argv[2]), [Path(each) for each in sys.argv[4:]], Path(sys.argv[3]))
