"""Phantom smears as training data: drawn once, kept on disk as their slides' JPEG pixels, cut into tiles."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from histoserve.export.drawn import drawn
from histoserve.export.peakmap.classes import TYPES
from histoserve.export.peakmap.extractors.backbone import MPP, TILE_PX
from histoserve.phantom.cytology.smear import Smear
from histoserve.phantom.pyramid import encoded

EXTRACTOR_SEED, HEAD_SEED, VALIDATION_SEED = 10_000_000, 15_000_000, 20_000_000
"""The first seeds of the slides that training sees; smaller seeds are free for tests.

The head has slides of its own: on those that the extractor was trained on, its features are surer than on new ones.
"""
GLASS = 12
"""Grey levels: a tile whose averages over 8×8 pixels differ by less shows only glass."""


@dataclass(frozen=True)
class LabelledSmear:
    """A slide with the nuclei of its lesion cells."""

    image: np.ndarray
    """RGB uint8 (H, W, 3)"""
    types: np.ndarray
    """int64 (lesions,), 0 for the first of TYPES"""
    outlines: list[np.ndarray]
    """float64 (V, 2) each, pixels"""

    @property
    def centres(self) -> np.ndarray:
        """Middles of the outlines' boxes, (lesions, 2)."""
        return np.array([(each.min(0) + each.max(0)) / 2 for each in self.outlines]).reshape(-1, 2)


def smear_from_seed(seed: int, size: tuple[int, int], mpp: float = MPP) -> LabelledSmear:
    """The slide that `histoserve phantom --kind cytology` writes, of width and height `size`."""
    drawing = Smear(size, mpp, seed)
    return labelled(drawing, drawing.draw((0, 0, *size)))


def labelled(drawing: Smear, image: np.ndarray) -> LabelledSmear:
    """`image` as a reader of the slide's file sees it, and what the drawing knows of it."""
    coded = cv2.imdecode(np.frombuffer(encoded(image), np.uint8), cv2.IMREAD_COLOR)
    lesions = [one for one in drawing.objects() if drawing.types[one.type - 1] in TYPES]
    types = np.array([TYPES.index(drawing.types[one.type - 1]) for one in lesions], np.int64)
    return LabelledSmear(cv2.cvtColor(coded, cv2.COLOR_BGR2RGB), types, [one.outline for one in lesions])


def smear_file(folder: Path, side: int, seed: int) -> Path:
    """Where the slide of this seed is kept."""
    return folder / f"{seed}-{side}.npz"


def write_smear(folder: Path, side: int, seed: int) -> Path:
    """Draws a slide into `folder` unless it is there."""
    path = smear_file(folder, side, seed)
    if not path.exists():
        smear = smear_from_seed(seed, (side, side))
        ends = np.cumsum([len(each) for each in smear.outlines])
        points = np.concatenate([np.empty((0, 2)), *smear.outlines])
        partial_path = path.with_suffix(".partial.npz")
        # Coded a second time, the pixels stay what they are but for single levels.
        np.savez(
            partial_path,
            jpeg=np.frombuffer(encoded(smear.image), np.uint8),
            types=smear.types,
            points=points,
            ends=ends.astype(np.int64),
        )
        partial_path.replace(path)
    return path


def read_smear(path: Path) -> LabelledSmear:
    with np.load(path) as file:
        image = cv2.cvtColor(cv2.imdecode(file["jpeg"], cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        outlines = np.split(file["points"], file["ends"][:-1]) if len(file["ends"]) else []
        return LabelledSmear(image, file["types"], outlines)


def draw_smears(folder: Path, seeds: Iterable[int], side: int) -> list[Path]:
    """Files of the slides of these seeds; those that are not in `folder` yet are drawn, by processes of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {seed: smear_file(folder, side, seed) for seed in seeds}
    # A process takes seconds to start, and a training that goes on has all of them.
    drawn(partial(write_smear, folder, side), [seed for seed, file in files.items() if not file.exists()])
    return list(files.values())


def tile_corners(shape: tuple[int, ...], side: int = TILE_PX) -> list[tuple[int, int]]:
    """Left and top of the tiles that cover an image (H, W, …), by rows; the last ones are shifted inward."""
    rows, columns = ([max(0, min(k * side, n - side)) for k in range(-(-n // side))] for n in shape[:2])
    return [(left, top) for top in rows for left in columns]


def is_glass(tile: np.ndarray) -> bool:
    """Nothing but glass in RGB (h, w, 3)."""
    small = cv2.resize(tile, (tile.shape[1] // 8, tile.shape[0] // 8), interpolation=cv2.INTER_AREA)
    return int(np.ptp(small, axis=(0, 1)).max()) < GLASS


def tiles_of(image: np.ndarray, side: int = TILE_PX) -> tuple[np.ndarray, np.ndarray]:
    """The tiles that show more than glass: corners int64 (n, 2), RGB uint8 (n, TILE_PX, TILE_PX, 3)."""
    kept, tiles = [], []
    for left, top in tile_corners(image.shape, side):
        tile = image[top : top + side, left : left + side]
        if not is_glass(tile):
            kept.append((left, top))
            tiles.append(
                tile if side == TILE_PX else cv2.resize(tile, (TILE_PX, TILE_PX), interpolation=cv2.INTER_AREA)
            )
    return np.array(kept, np.int64).reshape(-1, 2), np.array(tiles, np.uint8).reshape(-1, TILE_PX, TILE_PX, 3)
