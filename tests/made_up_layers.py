"""Layers that nobody found, for the tests of the page."""

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.results.layers import Class, Shape, Shapes
from histoserve.client.view.layers.build_index import Builder
from histoserve.client.view.layers.drawn import DrawnLayer
from histoserve.client.view.layers.index import Index, load_index
from histoserve.client.view.layers.read import Rings
from histoserve.client.view.layers.tile import TILE_PX, page_size

CLASSES = [Class("round", (255, 240, 0), 0), Class("oval", (0, 110, 255), 0)]


def shapes_of(outlines: Sequence[NDArray[np.floating]], of: Callable[[int], int] = lambda number: number % 2) -> Shapes:
    """A layer of two classes, in turns if not told otherwise; each measures its number."""
    each = [Shape(outline.astype(np.float32), of(i), {"Number": float(i)}) for i, outline in enumerate(outlines)]
    return Shapes(CLASSES, lambda: iter(each))


def ellipse(x: float, y: float, across: float, down: float, points: int = 24) -> NDArray[np.float64]:
    """An outline about (x, y) with these half axes."""
    turn = np.linspace(0, 2 * np.pi, points, endpoint=False)
    return np.stack((x + across * np.cos(turn), y + down * np.sin(turn)), axis=1)


def scattered(count: int, size: tuple[int, int], seed: int = 0) -> list[NDArray[np.float64]]:
    """Ellipses of 4-14 px half axes all over a slide."""
    random = np.random.default_rng(seed)
    return [
        ellipse(*place, *half)
        for place, half in zip(random.uniform((0, 0), size, (count, 2)), random.uniform(4, 14, (count, 2)), strict=True)
    ]


def decoded(png: bytes) -> NDArray[np.uint8]:
    """Red, green, blue, opacity (H, W, 4)."""
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED), cv2.COLOR_BGRA2RGBA).astype(
        np.uint8
    )


def index_of(outlines: list[NDArray[np.floating]]) -> Index:
    """Of outlines that are a class each, by their numbers."""
    with TemporaryDirectory() as name:
        builder = Builder(Path(name) / "0")
        counts = np.array([len(each) for each in outlines], np.int64)
        points = np.concatenate([np.zeros((0, 2)), *outlines]).astype(np.float32)
        numbers = np.arange(len(outlines))
        builder.add(Rings(points, counts, numbers.astype(np.int32), np.zeros(len(outlines), bool), numbers))
        builder.finish(lambda share: None)
        return load_index(Path(name) / "0")


def coloured(tile: NDArray[np.uint8], colour: tuple[int, int, int]) -> NDArray[np.bool_]:
    """The px of nearly this colour that are hardly transparent."""
    return (np.abs(tile[..., :3].astype(int) - colour).max(axis=2) < 40) & (tile[..., 3] > 128)


def page(layer: DrawnLayer, z: int, size: tuple[int, int], least: float | None = None) -> NDArray[np.uint8]:
    """All tiles of a zoom put together: red, green, blue, opacity."""
    width, height = page_size(size, z)
    rows = [
        np.hstack([decoded(layer.tile(z, x, y, None, least)) for x in range(-(-width // TILE_PX))])
        for y in range(-(-height // TILE_PX))
    ]
    return np.vstack(rows)
