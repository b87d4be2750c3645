"""What the network is shown in training: crops of tiles, each tile as often as the others."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from histoserve.export.ahead import ahead
from histoserve.export.biomarker.crops import crop
from histoserve.export.biomarker.labelled import LabelledTile
from histoserve.export.biomarker.network import CROP_PX

CROPS = 4
"""Of each tile in an epoch: as many as it has quarters."""


class Batches:
    """Batch n of a training: the same for the same seed and n."""

    def __init__(self, tiles: Sequence[LabelledTile], size: int, dyes: float, seed: int):
        """`size`: crops in a batch; `dyes` as `vary_dyes`."""
        self._tiles, self._dyes, self._seed = tiles, dyes, seed
        # The last one of an epoch is filled up: a batch of one crop has no deviation to normalise by.
        self._size = size
        self.steps = -(-CROPS * len(tiles) // size)

    def epoch(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Pictures uint8 (N, CROP_PX, CROP_PX, 3) and readings float32 (N,)."""
        random = np.random.default_rng((self._seed, number))
        rounds = -(-self.steps * self._size // len(self._tiles))
        order = np.concatenate([random.permutation(len(self._tiles)) for _ in range(rounds)])
        return ahead(lambda step: self._batch(order, number, step), self.steps)

    def _batch(self, order: np.ndarray, epoch: int, step: int) -> tuple[Tensor, Tensor]:
        random = np.random.default_rng((self._seed, epoch, step))
        tiles = [self._tiles[each] for each in order[step * self._size : (step + 1) * self._size]]
        images = [crop(tile.image(), CROP_PX, self._dyes, random) for tile in tiles]
        return torch.from_numpy(np.stack(images)), torch.tensor([tile.reading for tile in tiles], dtype=torch.float32)
