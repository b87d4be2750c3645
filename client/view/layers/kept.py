"""What took long to make is kept in the cache folder, whole or not at all.

It is made in a folder aside, sealed with the size and checksum of each file, and renamed: of two processes that make
the same one, one is first, and a process that dies leaves nothing but litter, which a later one clears away.
"""

import json
import os
import shutil
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Made = TypeVar("Made")

SEAL = "sealed.json"

ASIDE = "making-"

LITTER_S = 24 * 3600
"""Nothing takes that long to make."""

CHUNK = 2**22


def kept(
    cache: Path, key: str, make: Callable[[Path], None], load: Callable[[Path], Made], tell: Callable[[str], None]
) -> Made:
    """What `load` makes of the folder `key`, which `make` fills if there is none, or a damaged one.

    If the cache folder cannot be written, in a temporary one, and `tell` is told why. What `load` returns must not need
    the folder's names any more. Raises what `make` raises; OSError if no folder can be written.
    """
    place = cache / key
    try:
        return _opened(place, load)
    except (OSError, ValueError):
        pass
    try:
        return _made(cache, place, make, load)
    except OSError as error:
        tell(f"the cache folder {cache} cannot be written ({error.strerror or error}): nothing is kept")
    aside = Path(tempfile.mkdtemp(prefix="histoserve-"))
    try:
        make(aside)
        return load(aside)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _made(cache: Path, place: Path, make: Callable[[Path], None], load: Callable[[Path], Made]) -> Made:
    cache.mkdir(parents=True, exist_ok=True)
    _clear(cache)
    aside = Path(tempfile.mkdtemp(prefix=ASIDE, dir=cache))
    try:
        make(aside)
        _seal(aside)
        try:
            aside.rename(place)
        except OSError:
            return _instead(aside, place, load)
        return _opened(place, load)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _instead(aside: Path, place: Path, load: Callable[[Path], Made]) -> Made:
    """Where there is one already: of another process, or damaged, which then gives way."""
    try:
        return _opened(place, load)
    except (OSError, ValueError):
        shutil.rmtree(place, ignore_errors=True)
    try:
        aside.rename(place)
    except OSError:
        return load(aside)
    return _opened(place, load)


def _seal(folder: Path) -> None:
    content = {path.relative_to(folder).as_posix(): _checked(path) for path in folder.rglob("*") if path.is_file()}
    (folder / SEAL).write_text(json.dumps(content))


def _opened(folder: Path, load: Callable[[Path], Made]) -> Made:
    """Raises OSError and ValueError for what is not there or is not as it was sealed."""
    sealed = json.loads((folder / SEAL).read_text())
    if not isinstance(sealed, dict) or any(_checked(folder / name) != sum_ for name, sum_ in sealed.items()):
        raise ValueError(f"{folder} is damaged")
    return load(folder)


def _checked(path: Path) -> list[int]:
    """Size and checksum."""
    checksum = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            checksum = zlib.crc32(chunk, checksum)
        return [os.fstat(file.fileno()).st_size, checksum]


def _clear(cache: Path) -> None:
    """Of what processes left that died."""
    for path in cache.glob(f"{ASIDE}*"):
        if time.time() - path.stat().st_mtime > LITTER_S:
            shutil.rmtree(path, ignore_errors=True)
