"""Tiles of phantom slides as training data: drawn singly, kept on disk, each with its class.

seed ─▶ slide (class, stains, plan; nothing is drawn) ─▶ tiles by their share of lesion cells ─▶ these are drawn
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from histoserve.export.drawn import drawn
from histoserve.export.tissue.classes import CLASSES, MPP, TILE_PX
from histoserve.phantom.lesion.plan import lesion_slide
from histoserve.phantom.lesion.tiles import frame_in, tile_class

FINER = 2
"""Tiles are kept at this many times the network's resolution: a crop of them is enlarged."""
SIDE = TILE_PX * FINER
"""Of a kept tile, px."""
SLIDE_PX = 12 * SIDE
"""Side of a slide: 6 mm, of which some tiles are drawn."""
OF_EACH, TRIES = 3, 30
"""Tiles drawn of a slide that are lesion, and so many that are normal; places looked at for them."""
TRAINING_SEED, VALIDATION_SEED = 30_000_000, 40_000_000
"""The first seeds of the slides that training sees; smaller seeds are free for tests."""
QUALITY = 92


@dataclass(frozen=True)
class LabelledTiles:
    """Tiles with their classes."""

    jpeg: Sequence[bytes]
    """Each an RGB picture of SIDE × SIDE px."""
    label: np.ndarray
    """int64 (N,), 0 for the first of CLASSES."""

    def image(self, number: int) -> np.ndarray:
        """RGB uint8 (SIDE, SIDE, 3)."""
        coded = cv2.imdecode(np.frombuffer(self.jpeg[number], np.uint8), cv2.IMREAD_COLOR)
        return cv2.cvtColor(coded, cv2.COLOR_BGR2RGB).astype(np.uint8)


def write_tiles(folder: Path, seed: int) -> Path:
    """Draws some tiles of the slide of this seed into `folder` unless they are there."""
    path = folder / f"{seed}.npz"
    if not path.exists():
        chosen = _tiles_of(seed)
        tiles = [np.frombuffer(tile, np.uint8) for _, tile in chosen]
        ends = np.cumsum([len(tile) for tile in tiles], dtype=np.int64)
        content = np.concatenate([np.empty(0, np.uint8), *tiles])
        partial_path = path.with_suffix(".partial.npz")
        np.savez(partial_path, label=np.array([of for of, _ in chosen], np.int64), end=ends, jpeg=content)
        partial_path.replace(path)
    return path


def read_tiles(paths: Iterable[Path]) -> LabelledTiles:
    """All tiles of these files."""
    jpeg: list[bytes] = []
    labels = [np.empty(0, np.int64)]
    for path in paths:
        with np.load(path) as file:
            jpeg += [part.tobytes() for part in np.split(file["jpeg"], file["end"].astype(int)[:-1])][
                : len(file["label"])
            ]
            labels.append(file["label"])
    return LabelledTiles(jpeg, np.concatenate(labels))


def draw_tiles(folder: Path, seeds: Iterable[int]) -> list[Path]:
    """Files of the slides of these seeds; those that are not in `folder` yet are drawn."""
    folder.mkdir(parents=True, exist_ok=True)
    return drawn(partial(write_tiles, folder), seeds)


def _jpeg(image: np.ndarray) -> bytes:
    options = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    coded: bytes = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)[1].tobytes()
    return coded


def _tiles_of(seed: int) -> list[tuple[int, bytes]]:
    """Classes and pictures; of a slide with a lesion as many of it as beside it."""
    slide = lesion_slide((SLIDE_PX, SLIDE_PX), MPP / FINER, seed)
    slide_class = str(slide.facts["class"])
    random = np.random.default_rng(seed)
    found = []
    for in_lesion in (False, True) if slide_class != CLASSES[0] else (False,):
        count = 0
        for _ in range(TRIES):
            frame = frame_in(slide, SIDE, random, in_lesion=in_lesion)
            name = None if frame is None else tile_class(slide_class, slide.share(frame))
            if frame and name and (name != CLASSES[0]) == in_lesion:
                found.append((CLASSES.index(name), _jpeg(slide.draw(frame))))
                count += 1
            if count == OF_EACH:
                break
    return found
