"""Folders whose names survive an unquoted shell line, through which Triton starts the process of each stage."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from histoserve.deploy.local.wheel import LocalTritonError

PLAIN = re.compile(r"[A-Za-z0-9_.,+@=/-]+")
"""What no shell takes for anything but itself."""


def is_plain(path: Path | str) -> bool:
    return PLAIN.fullmatch(str(path)) is not None


def bases(state: Path) -> list[Path]:
    """Where run folders may lie, the preferred first: in `state`, or in a folder for temporary files."""
    temporary = [Path(tempfile.gettempdir()).resolve(), Path("/tmp"), Path("/var/tmp")]
    return [base for base in dict.fromkeys([state, *temporary]) if is_plain(base)]


def make_run_folder(state: Path, server_id: str) -> Path:
    """A new, private folder of a plain name. Raises OSError for the last place tried if there is none."""
    failure: OSError | None = None
    for base in bases(state):
        try:
            return Path(tempfile.mkdtemp(prefix=f"{server_id}-", dir=base))
        except OSError as error:
            failure = error
            if base == state:
                break
    raise failure or OSError(f"no folder of a plain name: neither {state} nor one for temporary files")


def plain_repository(repository: Path, folder: Path) -> Path:
    """`repository`, or a link to it in the run folder `folder` if its name is not plain."""
    if is_plain(repository):
        return repository
    link = folder / "repository"
    link.symlink_to(repository, target_is_directory=True)
    return link


def require_plain_names(models: Iterable[str], repository: Path) -> None:
    """Raise LocalTritonError if a model's folder cannot be named to Triton's shell."""
    for model in models:
        if not is_plain(model) or os.sep in model:
            raise LocalTritonError(
                f"{repository / model}: Triton cannot start a model of this name; rename its folder, "
                "with ASCII letters, digits, '_', '-' and '.' only"
            )
