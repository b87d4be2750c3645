"""Slides that never were tissue, with a known truth: for demos, tests and load without patients.

kind -> drawing -> rows of tiles -> pyramid file, and the same drawing's objects -> truth file

A kind is a folder here whose `drawing((width, height), mpp, seed)` is a `Drawing`. What `drawing` takes by keyword
alone may be chosen too: "lesion:slide_class=solid,stains=outside". A kind that has a `pair` also draws two slides of
one tissue.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from histoserve.phantom.drawing import Drawing, Pair
from histoserve.phantom.pyramid import TILE, write_pyramid
from histoserve.phantom.truth import write_truth

_BLOCK_TILES = 4


def kinds() -> list[str]:
    """Names of those that there are."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)


def write_phantom(path: Path, *, kind: str, size: tuple[int, int], mpp: float, seed: int, truth: Path | None) -> None:
    """Draw a slide to the TIFF pyramid `path` and, if wanted, what is on it to the GeoJSON file `truth`.

    `kind` is the name of one, or that and its choices; `size` is width and height in level-0 pixels, `mpp` µm per
    pixel. The same arguments give the same bytes. ValueError where no such slide can be drawn.
    """
    name, _, choices = kind.partition(":")
    _check(name, size, mpp, seed)
    draw = _room(name).drawing
    drawing: Drawing = draw(size, mpp, seed, **_chosen(draw, name, choices))
    _write(path, drawing, size, mpp, truth, {"kind": name, "seed": seed})


def write_pair(
    path: Path,
    second: Path,
    *,
    kind: str,
    size: tuple[int, int],
    mpp: float,
    seed: int,
    truth: Path | None,
    same_section: bool = False,
) -> None:
    """Draw two slides of one tissue, the first as `write_phantom` does, of two neighbouring sections or of the same.

    What is on the second goes to `pair_truth(truth)`; "pair" in the headers of both files tells how the second lies to
    the first. ValueError also for a kind whose slides come alone.
    """
    name, _, choices = kind.partition(":")
    _check(name, size, mpp, seed)
    make: Callable[..., Pair] | None = getattr(_room(name), "pair", None)
    if make is None:
        paired = ", ".join(one for one in kinds() if hasattr(_room(one), "pair"))
        raise ValueError(f"slides of kind {name!r} come alone: leave out the pair, or choose one of {paired}")
    if path.absolute() == second.absolute():
        raise ValueError(f"a pair is two files, but both are to be {path}")
    pair = make(size, mpp, seed, same_section, **_chosen(make, name, choices))
    about: dict[str, object] = {"kind": name, "seed": seed, "pair": pair.relation}
    _write(path, pair.first, size, mpp, truth, about)
    _write(second, pair.second, pair.second_size, pair.second_mpp, truth and pair_truth(truth), about)


def write_drawing(path: Path, drawing: Drawing, size: tuple[int, int], mpp: float) -> None:
    """A slide that is at hand as its drawing, to the TIFF pyramid `path`; without a truth file."""
    write_pyramid(path, size, mpp, _tile_rows(drawing, size))


def pair_truth(truth: Path) -> Path:
    """Where the truth about a pair's second slide lies."""
    return truth.with_name(f"{truth.stem}.pair{truth.suffix}")


def _room(name: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{name}")


def _write(
    path: Path, drawing: Drawing, size: tuple[int, int], mpp: float, truth: Path | None, about: dict[str, object]
) -> None:
    write_drawing(path, drawing, size, mpp)
    if truth is not None:
        header: dict[str, object] = {**about, "mpp": mpp, "size": list(size), **drawing.facts}
        write_truth(truth, header, drawing.types, drawing.objects())


def _chosen(draw: Callable[..., object], name: str, choices: str) -> dict[str, str]:
    """Keyword arguments from "key=value,key=value"."""
    known = [one.name for one in inspect.signature(draw).parameters.values() if one.kind is one.KEYWORD_ONLY]
    found = dict(part.partition("=")[::2] for part in choices.split(",") if part)
    for key in found:
        if key not in known:
            offered = f"there are {', '.join(known)}" if known else "it has none"
            raise ValueError(f"phantoms of kind {name!r} leave no choice of {key!r}: {offered}")
    return found


def _tile_rows(drawing: Drawing, size: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    """The slide in rows of tiles, the last ones in full: (TILE, width rounded up to whole tiles, 3)."""
    columns, rows = (-(-length // TILE) for length in size)
    for i in range(rows):
        starts = range(0, columns, _BLOCK_TILES)
        widths = (min(_BLOCK_TILES, columns - j) for j in starts)
        yield np.hstack(
            [drawing.draw((j * TILE, i * TILE, w * TILE, TILE)) for j, w in zip(starts, widths, strict=True)]
        )


def _check(kind: str, size: tuple[int, int], mpp: float, seed: int) -> None:
    if kind not in kinds():
        raise ValueError(f"no kind of phantom is called {kind!r}: choose one of {', '.join(kinds())}")
    if min(size) < 1:
        raise ValueError(f"a slide needs at least one pixel each way, but the size is {size[0]}x{size[1]}")
    if not 0.05 <= mpp <= 50:
        raise ValueError(f"a resolution of 0.05 to 50 µm per pixel is wanted, but mpp is {mpp}")
    if not 0 <= seed < 2**63:
        raise ValueError(f"a seed from 0 to 2^63 - 1 is wanted, but it is {seed}")
