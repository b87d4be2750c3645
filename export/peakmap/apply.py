"""An extractor applied to many tiles."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from histoserve.export.peakmap.extractors.backbone import Extractor
from histoserve.export.standardise import Standardise

STANDARDISE = Standardise()


def in_batches(network: Extractor, tiles: np.ndarray, size: int = 64) -> Iterator[list[Tensor]]:
    """The backbone's maps and, last, what the head gave, of tiles uint8 (n, H, W, 3)."""
    network.eval()
    for start in range(0, len(tiles), size):
        with torch.no_grad():
            image = STANDARDISE(torch.from_numpy(tiles[start : start + size]))
            maps = network.backbone(image.contiguous(memory_format=torch.channels_last))
            yield [*maps, network.head(maps)]


def logits_of(network: Extractor, tiles: np.ndarray) -> np.ndarray:
    """(n, types), before calibration."""
    found = [network.logit(raw).numpy() for *_, raw in in_batches(network, tiles)]
    return np.concatenate(found) if found else np.empty((0, len(network.scale)), np.float32)
