"""How good a network is on slides that it has not seen: their tiles as they are served, and the slides by the stage."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from histoserve.ensemble.tissue.slide import tissue_slide
from histoserve.export.config import read_config
from histoserve.export.repository import INSTALLED
from histoserve.export.standardise import Standardise
from histoserve.export.tissue.batches import BATCH
from histoserve.export.tissue.classes import CLASSES, TILE_PX
from histoserve.export.tissue.slides import SIDE, TILES, KnownSlide
from histoserve.phantom.lesion.tiles import tile_class


@dataclass(frozen=True)
class Held:
    """A slide's tiles that hold a cell, from its upper left corner on, side by side."""

    images: NDArray[np.uint8]
    """RGB (N, TILE_PX, TILE_PX, 3)."""
    region: NDArray[np.float32]
    """(N, 4): x, y, width, height in px of the slide."""
    label: NDArray[np.int64]
    """(N,): 0 for the first of CLASSES, −1 for a tile that counts for none."""
    slide_class: str


def held_of(slide: KnownSlide) -> Held:
    """All tiles of a slide."""
    place = (slide.cells // SIDE).astype(int)
    at = place[:, 1] * TILES + place[:, 0]
    number = np.bincount(at, minlength=TILES * TILES)
    lesion = np.bincount(at, slide.is_lesion, minlength=TILES * TILES)
    images, regions, labels = [], [], []
    for tile in np.flatnonzero(number):
        y, x = (int(each) * SIDE for each in divmod(int(tile), TILES))
        part = slide.image[y : y + SIDE, x : x + SIDE]
        images.append(cv2.resize(part, (TILE_PX, TILE_PX), interpolation=cv2.INTER_AREA))
        regions.append((x, y, SIDE, SIDE))
        name = tile_class(slide.slide_class, lesion[tile] / number[tile])
        labels.append(-1 if name is None else CLASSES.index(name))
    return Held(np.stack(images).astype(np.uint8), np.array(regions, np.float32), np.array(labels), slide.slide_class)


def figures(network: nn.Module, slides: Sequence[Held]) -> dict[str, float]:
    """Of all tiles, the mean over the classes of the part that is rightly sorted; and the part of the slides."""
    found = [probabilities(network, slide.images) for slide in slides]
    sorted_into = np.concatenate([each.argmax(axis=1) for each in found])
    label = np.concatenate([slide.label for slide in slides])
    right = [float((sorted_into[label == each] == each).mean()) for each in np.unique(label[label >= 0])]
    slides_right = [_class_of(each, slide) == slide.slide_class for each, slide in zip(found, slides, strict=True)]
    return {"balanced accuracy": float(np.mean(right)), "slides": float(np.mean(slides_right))}


def probabilities(network: nn.Module, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, classes)."""
    standardise = Standardise()
    with torch.inference_mode():
        parts = (torch.from_numpy(images[first : first + BATCH]) for first in range(0, len(images), BATCH))
        return np.concatenate([network(standardise(part)).softmax(1).numpy() for part in parts])


def _class_of(probability: NDArray[np.float32], slide: Held) -> str:
    k, threshold = _rule()
    answer = tissue_slide(probability, slide.region, np.zeros((1, 1), np.int32), k=k, threshold=threshold)
    deciding = answer["PROBABILITY"]
    return CLASSES[0] if 1 - deciding[0] < threshold else CLASSES[1 + int(deciding[1:].argmax())]


@cache
def _rule() -> tuple[int, float]:
    """`k` and `threshold` of the installed `tissue_slide`."""
    parameters = read_config(INSTALLED / "tissue_slide").parameters
    return int(parameters["k"].string_value), float(parameters["threshold"].string_value)
