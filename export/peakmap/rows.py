"""The rows of a slide, as the server makes them, computed once and kept on disk."""

from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from histoserve.export.peakmap.apply import in_batches
from histoserve.export.peakmap.classes import slide_class
from histoserve.export.peakmap.extractors.backbone import TILE_PX, Extractor, feature_map
from histoserve.export.peakmap.smears import LabelledSmear, tiles_of


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
