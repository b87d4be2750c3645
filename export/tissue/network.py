"""The tissue network: 33 convolutions with shortcuts, four of whose outputs are looked at together (CN113887377A).

conv 1 ─▶ 16 blocks of two ─▶ conv 33      each with LeakyReLU; max pooling before blocks 1, 3, 6, 10, 14
  tap        taps 10, 15      tap          each averaged over its pixels, concatenated ─▶ two layers ─▶ classes
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from histoserve.export.served import ServedGraph
from histoserve.export.standardise import Standardise
from histoserve.export.tissue.classes import CLASSES, MPP, TILE_PX

CONVOLUTIONS = 33
TAPS = (1, 10, 15, 33)
"""Convolutions, counted from 1, whose outputs are concatenated ([0078-0080])."""

CHANNELS = (64, 64, 128, 256, 512, 512)
"""Of the first convolution, then of each stage, at width 1.0."""
BLOCKS = (2, 3, 4, 4, 3)
"""Blocks of each stage, which begins with a max pooling."""
HIDDEN = 128
"""Of the two fully connected layers, the first."""
SLOPE = 0.1
"""Of LeakyReLU below 0; the document gives none."""


class Convolution(nn.Module):
    """3×3, normalised, LeakyReLU."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor, shortcut: Tensor | None = None) -> Tensor:
        x = self.norm(self.conv(x))
        return nn.functional.leaky_relu(x if shortcut is None else x + shortcut, SLOPE)


class TissueNetwork(nn.Module):
    """Tiles → classes. `taps` names the convolutions that the classifier sees, `width` scales the channels."""

    def __init__(self, width: float = 1.0, taps: Sequence[int] = TAPS, classes: int = len(CLASSES)):
        super().__init__()
        first, *stages = (max(1, round(each * width)) for each in CHANNELS)
        self.taps = tuple(taps)
        inputs, widths = first, [first]
        convolutions = [Convolution(3, first)]
        widen: dict[str, nn.Module] = {}
        for blocks, outputs in zip(BLOCKS, stages, strict=True):
            for _ in range(blocks):
                if inputs != outputs:
                    widen[str(len(convolutions))] = nn.Conv2d(inputs, outputs, 1, bias=False)
                convolutions += [Convolution(inputs, outputs), Convolution(outputs, outputs)]
                widths += [outputs, outputs]
                inputs = outputs
        if not self.taps or not set(self.taps) <= set(range(1, len(widths) + 1)):
            raise ValueError(f"taps {self.taps}: wanted some of the convolutions 1 to {len(widths)}")
        self.convolutions = nn.ModuleList(convolutions)
        self.widen = nn.ModuleDict(widen)
        self.hidden = nn.Linear(sum(widths[tap - 1] for tap in self.taps), HIDDEN)
        self.classify = nn.Linear(HIDDEN, classes)
        # For whoever reads weights alone.
        self.register_buffer("tapped", torch.tensor(self.taps))

    def forward(self, x: Tensor) -> Tensor:
        """Standardised RGB (N, 3, H, W) → logits (N, classes)."""
        starts = {1 + 2 * sum(BLOCKS[:stage]) for stage in range(len(BLOCKS))}
        x = self.convolutions[0](x)
        seen = {1: x}
        for index in range(1, len(self.convolutions), 2):
            if index in starts:
                x = nn.functional.max_pool2d(x, 2)
            shortcut = self.widen[str(index)](x) if str(index) in self.widen else x
            seen[index + 1] = self.convolutions[index](x)
            x = seen[index + 2] = self.convolutions[index + 1](seen[index + 1], shortcut)
        pooled = torch.cat([seen[tap].mean((2, 3)) for tap in self.taps], 1)
        return self.classify(nn.functional.leaky_relu(self.hidden(pooled), SLOPE))


class TissueTiles(nn.Module):
    """The served graph: uint8 tiles → probabilities."""

    def __init__(self, network: TissueNetwork):
        super().__init__()
        self.standardise, self.network = Standardise(), network

    def forward(self, image: Tensor) -> Tensor:
        """RGB uint8 (N, H, W, 3) → float32 (N, classes), each row adds up to 1."""
        return self.network(self.standardise(image)).softmax(1)


def network_from_weights(weights: dict[str, Tensor]) -> TissueNetwork:
    """The network that fits `weights`: width, taps and classes are read off them."""
    width = weights["convolutions.0.conv.weight"].shape[0] / CHANNELS[0]
    network = TissueNetwork(width, [int(tap) for tap in weights["tapped"]], weights["classify.bias"].shape[0])
    network.load_state_dict(weights)
    return network


def published() -> nn.Module:
    """Of the published width, untrained."""
    return TissueNetwork()


def served(weights: dict[str, Tensor]) -> list[ServedGraph]:
    """What `histoserve export tissue` puts into the model repository."""
    network = network_from_weights(weights)
    if network.classify.out_features != len(CLASSES):
        raise ValueError(f"{network.classify.out_features} classes, where there are {', '.join(CLASSES)}")
    return [
        ServedGraph(
            model="tissue_network",
            module=TissueTiles(network),
            example=(torch.zeros(2, TILE_PX, TILE_PX, 3, dtype=torch.uint8),),
            inputs=("IMAGE",),
            outputs=("PROBABILITY",),
            dynamic={"IMAGE": {0: "N"}},
            parameters={"mpp": f"{MPP:.6g}", "classes": ",".join(CLASSES)},
            max_batch_size=32,
            sizes={"classes": {"PROBABILITY": -1}, "tile_px": {"IMAGE": -2}},
            stamped=True,
        )
    ]
