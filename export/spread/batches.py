"""What the network is shown in training: looks at slides, regions poor and rich in lesion equally often."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from histoserve.export.ahead import ahead
from histoserve.export.dyes import vary_dyes
from histoserve.export.known_slide import KnownSlide
from histoserve.export.look import look_near
from histoserve.export.spread.augment import AREA, COVERED, cover_patch
from histoserve.export.spread.slides import SIDE, shares_of

BATCH = 32
STEPS = (0.02, 0.1, 0.5)
"""Shares that part the kinds of regions, of which most are poor: training wants samples rich in lesion ([0061])."""


class Batches:
    """Batch n of a training: the same for the same seed and n."""

    def __init__(self, slides: Sequence[KnownSlide], regions: int, dyes: float, seed: int, quarters: int = 0):
        """So many `regions` in an epoch; `dyes` as `vary_dyes`; so many first epochs see quarters of regions."""
        self._slides, self._dyes, self._seed, self._quarters = slides, dyes, seed, quarters
        self.steps = -(-regions // BATCH)
        shares = np.stack([np.nan_to_num(shares_of(slide)) for slide in slides])
        kinds = np.digitize(shares, STEPS)
        self._of_kind = [np.argwhere(kinds == kind) for kind in range(len(STEPS) + 1) if (kinds == kind).any()]
        if shares.max() < STEPS[-1]:
            raise ValueError(f"no region of the training is lesion by {STEPS[-1]:.0%} or more: draw more --slides")

    def epoch(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Pictures uint8 (N, 224, 224, 3), of quarters (N, 112, 112, 3), and shares float32 (N,)."""
        side = SIDE // 2 if number < self._quarters else SIDE
        return ahead(lambda step: self._batch(side, np.random.default_rng((self._seed, number, step))), self.steps)

    def _batch(self, side: int, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        kinds = np.arange(BATCH) % len(self._of_kind)
        images, shares = zip(*(self._seen(int(kind), side, random) for kind in kinds), strict=True)
        return torch.from_numpy(np.stack(images)), torch.tensor(shares, dtype=torch.float32)

    def _seen(self, kind: int, side: int, random: np.random.Generator) -> tuple[NDArray[np.uint8], float]:
        """A look of this side near a region of the kind, and its own share: 0 where no cell is, as in the truth."""
        of_kind = self._of_kind[kind]
        slide, row, column = of_kind[random.integers(len(of_kind))]
        place = (np.array([column, row]) + random.uniform(0, 1, 2)) * SIDE
        look = look_near(place, side, AREA, random)
        picture = look.picture(self._slides[slide], side)
        if random.random() < COVERED:
            picture = cover_patch(picture, random)
        if self._dyes:
            picture = vary_dyes(picture, self._dyes, random)
        return picture, float(np.nan_to_num(look.share(self._slides[slide])))
