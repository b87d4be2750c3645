"""What the three kinds of extractors share: the backbone, the two kinds of feature map, the calibrated score."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from histoserve.export.resnet import BasicBlock

TILE_PX = 128
"""Side of the tiles that the extractors take, at `MPP` µm/px."""
MPP = 0.5
CHANNELS = (32, 48, 96, 64)
"""Of the maps at 1/2, 1/4, 1/8 and 1/16 of the tile; the last is the backbone's last layer."""
FEATURES = ("map", "pyramid")


class Backbone(nn.Module):
    """Residual stages of convolution, batch normalisation and ReLU: about 0.6 million weights."""

    def __init__(self) -> None:
        super().__init__()
        half, quarter, eighth, last = CHANNELS
        self.stem = nn.Sequential(nn.Conv2d(3, half, 3, 2, 1, bias=False), nn.BatchNorm2d(half), nn.ReLU())
        self.quarter = BasicBlock(half, quarter, 2)
        self.eighth = nn.Sequential(BasicBlock(quarter, eighth, 2), BasicBlock(eighth, eighth, 1))
        self.sixteenth = nn.Sequential(
            BasicBlock(eighth, 2 * last, 2), nn.Conv2d(2 * last, last, 1, bias=False), nn.BatchNorm2d(last), nn.ReLU()
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, 3, H, W) → four maps from fine to coarse, H and W divisible by 16."""
        maps = [self.stem(x)]
        for stage in (self.quarter, self.eighth, self.sixteenth):
            maps.append(stage(maps[-1]))
        return maps


class Extractor(nn.Module):
    """A backbone and, in each kind, its own way from the backbone's maps to one logit a type.

    `scale` and `shift` (types,) map that logit to the score's; they are set after training so that the score is the
    probability of the type in a tile drawn as often with as without it.
    """

    MARK: str
    """A parameter that only this kind has."""
    scale: Tensor
    shift: Tensor

    def __init__(self, types: int):
        super().__init__()
        self.backbone = Backbone()
        self.last = nn.Conv2d(CHANNELS[-1], types, 1)
        self.register_buffer("scale", torch.ones(types))
        self.register_buffer("shift", torch.zeros(types))

    def last_logit(self, maps: list[Tensor]) -> Tensor:
        """One logit a type from the last layer alone, (B, types): training only, so that the layer tells the types."""
        return self.last(maps[-1]).amax((2, 3))

    def head(self, maps: list[Tensor]) -> Tensor:
        """The backbone's maps → what training compares with the truth; (B, types, h, w) or more channels."""
        raise NotImplementedError

    def logit(self, raw: Tensor) -> Tensor:
        """What `head` gave → one logit a type, (B, types)."""
        raise NotImplementedError

    def score(self, raw: Tensor) -> Tensor:
        """What `head` gave → confidence of each type in 0-1, (B, types)."""
        return torch.sigmoid(self.logit(raw) * self.scale + self.shift)

    def boxes(self, raw: Tensor) -> Tensor:
        """What `head` gave → (B, boxes, 4 + types), for display: x, y, width, height in parts of the tile, scores.

        A box without any score, as this one here, is none.
        """
        return raw.new_zeros(raw.shape[0], 1, 4 + len(self.scale))

    def forward(self, x: Tensor) -> Tensor:
        """Standardised RGB (B, 3, H, W) → what `head` gives."""
        return self.head(self.backbone(x))


def feature_map(maps: list[Tensor], feature: str) -> Tensor:
    """`map`: the last layer, (B, c, h, w); `pyramid`: the three last, each averaged to 1×1×c, in a row ([0084])."""
    if feature == "map":
        return maps[-1]
    return torch.cat([averaged(each) for each in maps[1:]], 1)


def averaged(map_: Tensor) -> Tensor:
    """Mean over the pixels, (B, c, 1, 1).

    Not `mean((2, 3))`, as it stands in a graph ONNX Runtime adds up a batch of one in another order than larger ones.
    """
    return functional.avg_pool2d(map_, [map_.shape[2], map_.shape[3]])


def feature_shape(feature: str) -> tuple[int, int, int]:
    """c, h, w of the feature map."""
    return (CHANNELS[-1], TILE_PX // 16, TILE_PX // 16) if feature == "map" else (sum(CHANNELS[1:]), 1, 1)


def convolution(inputs: int, outputs: int) -> nn.Sequential:
    """3×3, batch normalisation, ReLU."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())
