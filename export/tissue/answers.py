"""What each way of looking at a slide takes it for, beside what it is."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from histoserve.ensemble.tissue.slide import tissue_slide
from histoserve.export.served_pictures import served_pictures
from histoserve.export.tissue.classes import CLASSES, TILE_PX
from histoserve.export.tissue.results import Result
from histoserve.export.tissue.truth import Truth
from histoserve.phantom.lesion.tiles import ABNORMAL, UNCLEAR

Probabilities = Callable[[NDArray[np.uint8]], NDArray[np.floating]]
"""RGB tiles (N, TILE_PX, TILE_PX, 3) → (N, classes)."""


@dataclass(frozen=True)
class Answer:
    """Of one way, for one slide."""

    found: str | None
    """The slide's class; None for a slide without a tile."""
    abnormal: NDArray[np.bool_]
    """(tiles,), without those that are neither lesion nor free of it."""
    lesion: NDArray[np.bool_]
    """(tiles,), by the truth."""


def as_served(result: Result, truth: Truth) -> Answer:
    """The network's."""
    return _answer(result.slide_class, result.abnormal, result, truth)


def by_mean_of(result: Result, tiles: int | None = None) -> Answer:
    """By the mean of so many of the network's most abnormal tiles, None for all; which lesion, those that decided tell.

    Its tiles are the network's, so they are not counted again.
    """
    highest = -np.sort(-result.abnormal[result.served])[:tiles]
    is_normal = len(highest) and highest.mean() < result.threshold
    nothing = np.empty(0, np.bool_)
    return Answer(CLASSES[0] if is_normal else result.likeliest_lesion, nothing, nothing)


def by_truth(result: Result, truth: Truth) -> Answer:
    """What the rules make of tiles that are all rightly sorted: no network can be better."""
    shares = truth.shares(result.l0_first, (result.abnormal.shape[0], result.abnormal.shape[1]))
    abnormal = np.where(result.served, shares >= ABNORMAL, np.nan).astype(np.float32)
    if not result.served.any():
        return _answer(None, abnormal, result, truth)
    is_lesion = abnormal[result.served] == 1
    certain = np.eye(len(CLASSES), dtype=np.float32)[np.where(is_lesion, CLASSES.index(truth.slide_class), 0)]
    return _answer(slide_class(certain, result), abnormal, result, truth)


def by_tiles(result: Result, truth: Truth, slide: Path, probabilities: Probabilities) -> Answer:
    """By another classifier of the very tiles that were served, read from the file `slide`; the rules are the same.

    ValueError for a slide that is not there, or not the one.
    """
    if not result.served.any():
        return _answer(None, result.abnormal, result, truth)
    found = probabilities(served_pictures(slide, result.content, result.regions, TILE_PX)).astype(np.float32)
    abnormal = np.full_like(result.abnormal, np.nan)
    abnormal[result.served] = 1 - found[:, 0]
    return _answer(slide_class(found, result), abnormal, result, truth)


def slide_class(probability: NDArray[np.float32], result: Result) -> str:
    """From probabilities (N, classes) of the result's tiles, as the stage and the client find it."""
    one_network = np.zeros((1, 1), np.int32)
    answer = tissue_slide(probability, result.regions, one_network, k=result.k, threshold=result.threshold)
    normal, *lesions = answer["PROBABILITY"].tolist()
    return CLASSES[0] if 1 - normal < result.threshold else CLASSES[1 + int(np.argmax(lesions))]


def _answer(found: str | None, abnormal: NDArray[np.float32], result: Result, truth: Truth) -> Answer:
    shares = truth.shares(result.l0_first, (abnormal.shape[0], abnormal.shape[1]))
    counted = result.served & ((shares >= ABNORMAL) | (shares < UNCLEAR))
    return Answer(found, abnormal[counted] >= np.float32(result.threshold), shares[counted] >= ABNORMAL)
