"""Files that appear under their names only when they are complete, alone or several of them together."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """A process or disk that ends in the middle leaves what was there; OSError names the path."""
    stage(path, content).replace(path)


def stage(path: Path, content: bytes) -> Path:
    """Writes `content` to the disk beside `path`; returns where."""
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError):
            # What fails in writing knows no name.
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    return partial


def write_together(files: Mapping[Path, bytes]) -> None:
    """Writes all of `files` or none of them, whatever fails.

    All is on the disk before the first name changes. No file system changes several names at once, so graphs are
    taken away first and put in place last: a process that is killed in between leaves some of them missing, which no
    server takes for a model, rather than old ones beside new. The same call, made again, mends that.
    """
    folders: list[Path] = []
    partials: dict[Path, Path] = {}
    kept: dict[Path, Path] = {}
    placed: list[Path] = []
    try:
        for path, content in files.items():
            _make_folder(path.parent, folders)
            partials[path] = stage(path, content)
            if path.exists() and path.suffix != ".onnx":
                kept[path] = Path(shutil.copyfile(path, _old(path)))
        for path in files:
            if path.exists() and path.suffix == ".onnx":
                kept[path] = path.replace(_old(path))
        for path in sorted(files, key=lambda each: each.suffix == ".onnx"):
            partials[path].replace(path)
            placed.append(path)
    except BaseException:
        for path in placed:
            if path not in kept:
                path.unlink()
        for path, old in kept.items():
            old.replace(path)
        for partial in partials.values():
            partial.unlink(missing_ok=True)
        for folder in reversed(folders):
            folder.rmdir()
        raise
    # Also what a killed call left of these.
    for path in files:
        _old(path).unlink(missing_ok=True)


def _old(path: Path) -> Path:
    return path.with_name(path.name + ".old")


def _make_folder(folder: Path, made: list[Path]) -> None:
    """With its parents; those that were not there are added to `made`."""
    if not folder.exists():
        _make_folder(folder.parent, made)
        folder.mkdir()
        made.append(folder)
