"""The extractor as a classifier: one sigmoid a type, from the whole tile."""

import torch
from torch import Tensor, nn

from histoserve.export.peakmap.extractors.backbone import CHANNELS, Extractor, averaged


class Classifier(Extractor):
    """Pools the last layer, its mean and its maximum, since a lesion cell fills little of a tile."""

    MARK = "classify.weight"

    def __init__(self, types: int):
        super().__init__(types)
        self.classify = nn.Linear(2 * CHANNELS[-1], types)

    def head(self, maps: list[Tensor]) -> Tensor:
        """→ logits (B, types)."""
        last = maps[-1]
        return self.classify(torch.cat([averaged(last).flatten(1), last.amax((2, 3))], 1))

    def logit(self, raw: Tensor) -> Tensor:
        return raw
