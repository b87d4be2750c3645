"""What the network is shown in training: crops of tiles, each tile as often as the others."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from histoserve.export.ahead import ahead
from histoserve.export.biomarker.crops import crop
from histoserve.export.biomarker.labelled import LabelledTile
from histoserve.export.biomarker.memory import tiles_that_fit
from histoserve.export.biomarker.network import TILE_PX


class Batches:
    """Batch n of a training: the same for the same seed and n."""

    def __init__(self, tiles: Sequence[LabelledTile], size: int, crop_px: int, dyes: float, seed: int):
        """`size`: crops in a batch, of `crop_px` pixels, of each tile as many as cover it; `dyes` as `vary_dyes`."""
        self._tiles, self._crop_px, self._dyes, self._seed = tiles, crop_px, dyes, seed
        # The last one of an epoch is filled up: a batch of one crop has no deviation to normalise by.
        self._size = size
        self.steps = -(-((TILE_PX // crop_px) ** 2) * len(tiles) // size)
        # Small crops would decode each tile many times an epoch.
        self._image = lru_cache(tiles_that_fit(TILE_PX**2 * 3))(self._decoded)

    def epoch(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Pictures uint8 (N, px, px, 3) and readings float32 (N,)."""
        random = np.random.default_rng((self._seed, number))
        rounds = -(-self.steps * self._size // len(self._tiles))
        order = np.concatenate([random.permutation(len(self._tiles)) for _ in range(rounds)])
        return ahead(lambda step: self._batch(order, number, step), self.steps)

    def _batch(self, order: np.ndarray, epoch: int, step: int) -> tuple[Tensor, Tensor]:
        random = np.random.default_rng((self._seed, epoch, step))
        chosen = order[step * self._size : (step + 1) * self._size].tolist()
        images = [crop(self._image(each), self._crop_px, self._dyes, random) for each in chosen]
        readings = [self._tiles[each].reading for each in chosen]
        return torch.from_numpy(np.stack(images)), torch.tensor(readings, dtype=torch.float32)

    def _decoded(self, number: int) -> NDArray[np.uint8]:
        return self._tiles[number].image()
