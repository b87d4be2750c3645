"""The rows of a slide, computed once, and the many slides that can be made of them.

A bag is a slide as the head sees it. From the rows of few drawn slides come many bags, each of a class that is known: a
slide loses lesion cells together with every tile that shows them, and gains lesion-free tiles of other slides.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from histoserve.ensemble.peakmap.select import peakmap_select
from histoserve.export.peakmap.extractors.backbone import TILE_PX, Extractor, feature_map
from histoserve.export.peakmap.network import CLASSES
from histoserve.export.peakmap.smears import LabelledSmear, slide_class, tiles_of
from histoserve.export.peakmap.train_extractor import in_batches

FEWEST = 2
"""Lesion cells in a bag that is not negative, where its slide has them: a little harder than a phantom."""
OTHERS = 16
"""At most so many other slides lend their lesion-free tiles: a handful of lesion cells among thousands of others."""
FAR_APART = 2**17
"""Level-0 px between the slides of a bag, so that no two tiles have one region."""


@dataclass(frozen=True)
class Rows:
    """The tiles of a slide that show more than glass."""

    region: np.ndarray
    """float32 (n, 4)"""
    score: np.ndarray
    """float32 (n, types)"""
    feature: np.ndarray
    """float16 (n, 2c): the last layer's mean and maximum over the tile"""
    candidate: np.ndarray
    """int64 (u,): the tiles that have any type"""
    maps: np.ndarray
    """float16 (u, c, h, w): their feature maps"""
    types: np.ndarray
    """int64 (lesions,)"""
    shows: np.ndarray
    """bool (n, lesions): a part of the lesion's nucleus is in the tile"""

    @cached_property
    def possible(self) -> set[int]:
        """Indices in CLASSES that the slide has with all, some or none of its lesions."""
        return {0, *(slide_class([kind]) for kind in self.types)}

    def part(self, kept: np.ndarray, lesions: np.ndarray) -> "Rows":
        """Only the tiles `kept` bool (n,) and the lesions of these numbers."""
        number = np.cumsum(kept) - 1
        chosen = kept[self.candidate]
        return Rows(
            *(self.region[kept], self.score[kept], self.feature[kept]),
            *(number[self.candidate[chosen]], self.maps[chosen]),
            *(self.types[lesions], self.shows[kept][:, lesions]),
        )


@dataclass(frozen=True)
class Bag:
    """One slide for the head and for the baselines."""

    maps: Tensor
    """float16 (P, c, h, w): the all-zero map, then the peaks"""
    index: Tensor
    """int64 (types, K), −1 for none"""
    feature: Tensor
    """float32 (n, 2c)"""
    score: Tensor
    """float32 (n, types)"""
    label: int
    """index in CLASSES"""


def rows_of_slide(
    network: Extractor, feature: str, slide: LabelledSmear, threshold: float, side: int = TILE_PX
) -> Rows:
    """The slide's rows, as the server makes them; tiles of `side` px."""
    corners, tiles = tiles_of(slide.image, side)
    scores, features, maps = [], [], []
    for *layers, raw in in_batches(network, tiles):
        scores.append(network.score(raw).numpy())
        features.append(torch.cat([layers[-1].mean((2, 3)), layers[-1].amax((2, 3))], 1).half().numpy())
        maps.append(feature_map(layers, feature).half().numpy()[(scores[-1] >= threshold).any(1)])
    score = np.concatenate(scores)
    low, high = (np.array([end(each, 0) for each in slide.outlines]).reshape(-1, 2) for end in (np.min, np.max))
    return Rows(
        region=np.column_stack([corners, np.full((len(corners), 2), side)]).astype(np.float32),
        score=score,
        feature=np.concatenate(features),
        candidate=np.flatnonzero((score >= threshold).any(1)),
        maps=np.concatenate(maps),
        types=slide.types,
        shows=((high > corners[:, None]) & (low < corners[:, None] + side)).all(2),
    )


def write_rows(path: Path, rows: Rows) -> None:
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, **{field.name: getattr(rows, field.name) for field in fields(Rows)})
    partial.replace(path)


def read_rows(path: Path) -> Rows:
    with np.load(path) as file:
        return Rows(**{field.name: file[field.name] for field in fields(Rows)})


def without(rows: Rows, dropped: np.ndarray) -> Rows:
    """The slide as if the lesions `dropped` bool (lesions,) had lain elsewhere; others beside them go with their tiles.

    A lesion stays if every tile that shows it does: none is left half.
    """
    while True:
        kept = ~rows.shows[:, dropped].any(1)
        more = dropped | rows.shows[~kept].any(0)
        if (more == dropped).all():
            return rows.part(kept, np.flatnonzero(~dropped))
        dropped = more


def thinned(rows: Rows, target: int, random: np.random.Generator) -> Rows:
    """With fewer lesions, often only a few, and none that would raise the slide's class above `target`."""
    dropped = np.array([slide_class([kind]) > target for kind in rows.types], bool)
    left = np.flatnonzero(~dropped)
    if len(left) and random.random() < 0.7:
        number = int(np.exp(random.uniform(np.log(FEWEST), np.log(max(FEWEST, len(left)) + 1))))
        dropped[random.permutation(left)[number:]] = True
    return without(rows, dropped)


def moved(rows: Rows, distance: float) -> Rows:
    return replace(rows, region=rows.region + np.array([distance, 0, 0, 0], np.float32))


def joined(parts: Sequence[Rows]) -> Rows:
    """One slide beside the other; `shows` is not kept."""
    starts = np.cumsum([0] + [len(each.region) for each in parts[:-1]])
    parts = [moved(each, number * FAR_APART) for number, each in enumerate(parts)]
    stacked = {name: np.concatenate([getattr(each, name) for each in parts]) for name in ("region", "score", "feature")}
    return Rows(
        **stacked,
        candidate=np.concatenate([each.candidate + start for each, start in zip(parts, starts, strict=True)]),
        maps=np.concatenate([each.maps for each in parts]),
        types=np.concatenate([each.types for each in parts]),
        shows=np.zeros((len(stacked["region"]), 0), bool),
    )


def made_up(slides: Sequence[Rows], random: np.random.Generator) -> Rows:
    """A slide that was never drawn; the classes come equally often, as far as `slides` allow."""
    target = int(random.integers(len(CLASSES)))
    having = [each for each in slides if target in each.possible] or list(slides)
    parts = [thinned(having[random.integers(len(having))], target, random)]
    # One slide more counts for less the more there are.
    for _ in range(int(np.exp(random.uniform(0, np.log(OTHERS + 2)))) - 1):
        parts.append(lesion_free(slides[random.integers(len(slides))], random, random.uniform(0.2, 1)))
    return joined(parts)


def lesion_free(rows: Rows, random: np.random.Generator, share: float = 1.0) -> Rows:
    """About this share of the tiles that show no lesion."""
    return rows.part(~rows.shows.any(1) & (random.random(len(rows.region)) < share), np.empty(0, int))


def turned(bag: Bag, random: np.random.Generator) -> Bag:
    """The bag with its maps turned and mirrored in one of the eight ways, as if the slide had lain otherwise."""
    axes = [axis for axis in (2, 3) if random.integers(2)]
    maps = bag.maps.flip(axes)
    return replace(bag, maps=maps.transpose(2, 3) if random.integers(2) else maps)


def bag_of(rows: Rows, k: int, threshold: float) -> Bag:
    """The peaks are chosen by the served stage itself."""
    chosen = rows.candidate
    peaks = peakmap_select(
        *(rows.region[chosen], rows.score[chosen], rows.maps, np.zeros((len(chosen), 1), np.int32)),
        k=k,
        threshold=threshold,
    )
    return Bag(
        maps=torch.from_numpy(peaks["PEAK_MAP"]),
        index=torch.from_numpy(peaks["PEAK_INDEX"]).long(),
        feature=torch.from_numpy(rows.feature).float(),
        score=torch.from_numpy(rows.score),
        label=slide_class(rows.types),
    )
