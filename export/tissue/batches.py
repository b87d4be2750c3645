"""What the network is shown in training: looks at slides, all classes equally often."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from histoserve.export.ahead import ahead
from histoserve.export.tissue.augment import AREA, Look, look_near, vary_dyes
from histoserve.export.tissue.classes import CLASSES
from histoserve.export.tissue.slides import KnownSlide
from histoserve.phantom.lesion.tiles import tile_class

BATCH = 32
TRIES = 40
"""Looks at one slide for a class; then another slide is looked at."""
LEAST_LESION = 20
"""Lesion cells in a look at an abnormal tile: a mere corner of tissue tells nobody what it is, and is none."""
ANYWHERE = 0.25
"""Of the looks at normal tiles, so many lie anywhere, also where hardly a cell is or none: those are served too."""


class Batches:
    """Batch n of a training: the same for the same seed and n.

    The document brings smaller classes to equal counts by turning copies of their tiles. Here every look is a new one,
    and all are turned: a turn that only some classes have would tell the network the class.
    """

    def __init__(self, slides: Sequence[KnownSlide], tiles: int, least_area: float, dyes: float, seed: int):
        """`tiles` of each class in an epoch; crops of `least_area` of a tile or more; `dyes` as `vary_dyes`."""
        self._slides, self._dyes, self._seed = slides, dyes, seed
        self._area = (least_area, AREA[1])
        self.steps = -(-tiles * len(CLASSES) // BATCH)
        # Beside a lesion tissue is normal.
        self._with = [
            [slide for slide in slides if _candidates(slide, name).any() and name in (CLASSES[0], slide.slide_class)]
            for name in CLASSES
        ]
        for name, having in zip(CLASSES, self._with, strict=True):
            if not having:
                raise ValueError(f"the training has no slide with the class {name}: draw more --slides")

    def epoch(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Pictures uint8 (N, 224, 224, 3) and classes int64 (N,)."""
        return ahead(lambda step: self._batch(np.random.default_rng((self._seed, number, step))), self.steps)

    def _batch(self, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        labels = random.permutation(np.arange(BATCH) + random.integers(len(CLASSES))) % len(CLASSES)
        images = [self._picture(int(label), random) for label in labels]
        return torch.from_numpy(np.stack(images)), torch.from_numpy(labels)

    def _picture(self, label: int, random: np.random.Generator) -> NDArray[np.uint8]:
        while True:
            having = self._with[label]
            slide = having[random.integers(len(having))]
            candidates = slide.cells[_candidates(slide, CLASSES[label])]
            for _ in range(TRIES):
                place = candidates[random.integers(len(candidates))]
                if label == 0 and random.random() < ANYWHERE:
                    place = random.uniform(0, slide.image.shape[1::-1])
                look = look_near(place, self._area, random)
                if class_of(look, slide) == CLASSES[label]:
                    picture = look.picture(slide)
                    return vary_dyes(picture, self._dyes, random) if self._dyes else picture


def class_of(look: Look, slide: KnownSlide) -> str | None:
    """None for a look that no class is taught by."""
    cells, lesion = look.cells(slide)
    name = tile_class(slide.slide_class, lesion / cells if cells else float("nan"))
    return None if name == slide.slide_class != CLASSES[0] and lesion < LEAST_LESION else name


def _candidates(slide: KnownSlide, name: str) -> NDArray[np.bool_]:
    """Cells that a tile of the class shows for certain."""
    return ~slide.is_lesion if name == CLASSES[0] else slide.is_lesion
