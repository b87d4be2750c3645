"""The extractor as a segmenter (U-Net, 2015): which pixels belong to a lesion nucleus of which type."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from histoserve.export.peakmap.extractors.backbone import CHANNELS, Extractor, convolution

STRIDE = 2
"""Tile pixels a mask pixel: 1 µm."""
NUCLEUS_PX = 32
"""Mask pixels that decide, a power of 2: half the smallest lesion nucleus, since a tile may cut it."""


class Segmenter(Extractor):
    """Decodes the backbone's maps, joined at each scale, to half the tile's size."""

    MARK = "mask.weight"
    WIDTHS = (48, 32, 16)

    def __init__(self, types: int):
        super().__init__(types)
        inputs = CHANNELS[-1]
        self.joins = nn.ModuleList()
        for skip, width in zip(reversed(CHANNELS[:-1]), self.WIDTHS, strict=True):
            self.joins.append(convolution(inputs + skip, width))
            inputs = width
        self.mask = nn.Conv2d(inputs, 1 + types, 1)

    def head(self, maps: list[Tensor]) -> Tensor:
        """→ logits (B, 1 + types, h, w): no lesion, then the types."""
        x = maps[-1]
        for join, skip in zip(self.joins, reversed(maps[:-1]), strict=True):
            x = join(torch.cat([functional.interpolate(x, scale_factor=2.0, mode="nearest"), skip], 1))
        return self.mask(x)

    def logit(self, raw: Tensor) -> Tensor:
        """How far a type's logit is above any other's, averaged over the pixels where it is farthest ([0096])."""
        margin = torch.stack([raw[:, t] - without(raw, t).amax(1) for t in range(1, raw.shape[1])], 1)
        highest = margin.flatten(2).topk(NUCLEUS_PX, dim=2).values
        # Halves added up: ONNX Runtime takes a plain mean in another order for a small batch.
        while highest.shape[2] > 1:
            half = highest.shape[2] // 2
            highest = highest[:, :, :half] + highest[:, :, half:]
        return highest[:, :, 0] / NUCLEUS_PX


def without(raw: Tensor, channel: int) -> Tensor:
    """All channels but one."""
    return torch.cat([raw[:, :channel], raw[:, channel + 1 :]], 1)
