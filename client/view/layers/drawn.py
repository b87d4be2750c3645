"""The layers of one result, ready to be shown.

<pipeline>.geojson → read → build_index → density → kept in the cache folder → DrawnShapes
layers.json → DrawnGrid, DrawnArrows, DrawnCards, DrawnNotSeen
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from histoserve.client.results.layers import Arrows, Grid
from histoserve.client.results.layers_json import Saved, ShapesInFile
from histoserve.client.view.layers.arrows import DrawnArrows
from histoserve.client.view.layers.build_index import Builder
from histoserve.client.view.layers.density import FIRST_ZOOM, Density, build_density, load_density
from histoserve.client.view.layers.found import Found
from histoserve.client.view.layers.frames import DrawnCards
from histoserve.client.view.layers.index import Index, load_index
from histoserve.client.view.layers.kept import kept
from histoserve.client.view.layers.not_seen import DrawnNotSeen
from histoserve.client.view.layers.read import Wanted, read
from histoserve.client.view.layers.shapes import FEW, DrawnShapes
from histoserve.client.view.layers.squares import DrawnGrid
from histoserve.client.view.layers.tile import Size, deepest

__all__ = ["NOT_SEEN", "DrawnLayer", "Found", "open_layers"]

NOT_SEEN = "not-seen"
"""The layer of what was not looked at."""

VERSION = 1
"""Of what is kept; another number whenever that changes."""

CHUNK = 2**20

Watch = Callable[[str, float], None]


class DrawnLayer(Protocol):
    """What the page shows of a layer; may be called by many threads."""

    def tile(self, z: int, x: int, y: int, of: frozenset[int] | None, least: float | None) -> bytes:
        """A transparent PNG of the classes `of`, or of all; of a grid, what is at least `least`.

        Raises ValueError for a tile that the slide does not have.
        """

    def at(self, l0_x: float, l0_y: float) -> list[Found]:
        """What is at a place of the slide."""


def open_layers(
    saved: Saved, folder: Path, pipeline: str, l0_size: Size, cache: Path, watch: Watch
) -> dict[str, DrawnLayer]:
    """By their numbers in `saved`, "0", "1", …, and NOT_SEEN.

    The index of shapes is loaded from `cache`, or built; `watch` hears what is done and the share of it that is. Raises
    ValueError for a GeoJSON that is not what `saved` says, OSError if not even a temporary folder can be written.
    """
    layers: dict[str, DrawnLayer] = {NOT_SEEN: DrawnNotSeen(saved.background, l0_size)}
    geojson = folder / f"{pipeline}.geojson"
    shapes = _shapes(saved, geojson, l0_size, cache, watch)
    for number, layer in enumerate(saved.layers):
        if isinstance(layer, ShapesInFile):
            layers[str(number)] = DrawnShapes(*shapes[number], layer.classes, geojson, l0_size)
        elif isinstance(layer, Grid):
            layers[str(number)] = DrawnGrid(layer, l0_size)
        elif isinstance(layer, Arrows):
            layers[str(number)] = DrawnArrows(layer, l0_size)
        else:
            layers[str(number)] = DrawnCards(layer, l0_size)
    return layers


def _shapes(
    saved: Saved, geojson: Path, l0_size: Size, cache: Path, watch: Watch
) -> dict[int, tuple[Index, Density | None]]:
    """Of each layer of shapes."""
    wanted = [_wanted(layer) for layer in saved.layers]
    if not any(isinstance(layer, ShapesInFile) for layer in saved.layers):
        return {}
    kind = [VERSION, _digest(geojson), l0_size, [(each.features, each.classes) for each in wanted]]
    key = hashlib.sha256(json.dumps(kind).encode()).hexdigest()
    return kept(
        cache,
        key,
        lambda aside: _build(aside, geojson, wanted, l0_size, watch),
        partial(_load, wanted),
        lambda words: watch(words, 0.0),
    )


def _wanted(layer: object) -> Wanted:
    """How many features of the file are a layer's, as `write_geojson` writes them."""
    if isinstance(layer, ShapesInFile):
        return Wanted(layer.features, [each.name for each in layer.classes])
    if isinstance(layer, Grid):
        return Wanted(int(np.isfinite(layer.values).sum()), None)
    return Wanted(len(layer.l0_tails) if isinstance(layer, Arrows) else 0, None)


def _digest(geojson: Path) -> str:
    """Raises ValueError if it cannot be read."""
    content = hashlib.sha256()
    try:
        with geojson.open("rb") as file:
            while chunk := file.read(CHUNK):
                content.update(chunk)
    except OSError as error:
        raise ValueError(f"{geojson.name} cannot be read: {error.strerror or error}") from error
    return content.hexdigest()


def _build(aside: Path, geojson: Path, wanted: Sequence[Wanted], l0_size: Size, watch: Watch) -> None:
    """Fills a folder for each layer of shapes."""
    builders = {number: Builder(aside / str(number)) for number, each in enumerate(wanted) if each.classes is not None}
    for number, rings in read(geojson, wanted, lambda share: watch("reading the outlines", share)):
        if number in builders:
            builders[number].add(rings)
    for number, builder in builders.items():
        builder.finish(lambda share: watch("sorting them by place", share))
        if wanted[number].features >= FEW and deepest(l0_size) >= FIRST_ZOOM:
            folder = aside / str(number)
            progress = partial(watch, "measuring their density")
            build_density(folder, load_index(folder), l0_size, progress)


def _load(wanted: Sequence[Wanted], folder: Path) -> dict[int, tuple[Index, Density | None]]:
    """Raises OSError and ValueError."""
    loaded: dict[int, tuple[Index, Density | None]] = {}
    for number, each in enumerate(wanted):
        if each.classes is not None:
            mine = folder / str(number)
            loaded[number] = load_index(mine), load_density(mine) if (mine / "blocks.npy").exists() else None
    return loaded
