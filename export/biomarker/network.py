"""The biomarker network: InceptionV3 with two answers, the reading of a marker (CN114387243A [0158, 0170]) and whether
there is tumour, of which alone a reading is one.

tile 1024 px at 0.3 µm/px ─▶ four quarters of 512 ─▶ InceptionV3 each ─▶ sigmoid ─▶ their means: READING, TUMOUR

One graph a marker. A file of weights holds those of one or several, each name after its marker's: `ki67.fc.weight`.
"""

import re

import torch
from torch import Tensor, nn

from histoserve.export.biomarker.blocks import BlockA, BlockB, BlockC, BlockD, BlockE, Convolution
from histoserve.export.served import ServedGraph

TILE_PX, CROP_PX, MPP = 1024, 512, 0.3
"""Side of a tile and of what the network sees of it at a time, and µm per pixel ([0094, 0158])."""
LEAST_CROP_PX = 75
"""Of less nothing is left in the last block."""
MOST = 448
"""Channels of the widest of its inner convolutions, at width 1.0; a width is a whole part of it."""
WIDEST = "Mixed_7c.branch3x3dbl_1.conv.weight"
ANSWERS = 2
"""Reading and tumour, as logits."""
DROPOUT = 0.5
"""Before the last layer, as in torchvision's."""
MARKER = re.compile(r"[a-z][a-z0-9-]*")
"""The part of a model's name that a marker's name is."""


class BiomarkerNetwork(nn.Module):
    """Crops → readings, and whether they show tumour. `width` scales the channels of the published network."""

    def __init__(self, width: float = 1.0):
        super().__init__()
        # In whole channels of the widest, so that weights tell the width exactly.
        widest = max(1, round(MOST * width))

        def scaled(channels: int) -> int:
            return max(1, round(channels * widest / MOST))

        c32, c64, c80, c192 = (scaled(each) for each in (32, 64, 80, 192))
        self.Conv2d_1a_3x3 = Convolution(3, c32, 3, 2)
        self.Conv2d_2a_3x3 = Convolution(c32, c32, 3)
        self.Conv2d_2b_3x3 = Convolution(c32, c64, 3, pad=True)
        self.Conv2d_3b_1x1 = Convolution(c64, c80, 1)
        self.Conv2d_4a_3x3 = Convolution(c80, c192, 3)
        self.Mixed_5b = BlockA(c192, 32, scaled)
        self.Mixed_5c = BlockA(self.Mixed_5b.outputs, 64, scaled)
        self.Mixed_5d = BlockA(self.Mixed_5c.outputs, 64, scaled)
        self.Mixed_6a = BlockB(self.Mixed_5d.outputs, scaled)
        self.Mixed_6b = BlockC(self.Mixed_6a.outputs, 128, scaled)
        self.Mixed_6c = BlockC(self.Mixed_6b.outputs, 160, scaled)
        self.Mixed_6d = BlockC(self.Mixed_6c.outputs, 160, scaled)
        self.Mixed_6e = BlockC(self.Mixed_6d.outputs, 192, scaled)
        self.Mixed_7a = BlockD(self.Mixed_6e.outputs, scaled)
        self.Mixed_7b = BlockE(self.Mixed_7a.outputs, scaled)
        self.Mixed_7c = BlockE(self.Mixed_7b.outputs, scaled)
        self.fc = nn.Linear(self.Mixed_7c.outputs, ANSWERS)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x: Tensor) -> Tensor:
        """Standardised RGB (N, 3, H, W) → logits (N, ANSWERS)."""
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = nn.functional.max_pool2d(x, 3, 2)
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x))
        x = nn.functional.max_pool2d(x, 3, 2)
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
        # Not `mean((2, 3))`: of a batch of one ONNX Runtime adds that up in another order.
        x = nn.functional.avg_pool2d(x, [x.shape[2], x.shape[3]]).flatten(1)
        found: Tensor = self.fc(self.dropout(x))
        return found


def standardised(image: Tensor) -> Tensor:
    """RGB uint8 (N, H, W, 3) → float32 (N, 3, H, W) from −1 to 1, as InceptionV3's ImageNet weights take it."""
    return image.permute(0, 3, 1, 2).float() * (2 / 255) - 1


def quarters(image: Tensor) -> Tensor:
    """Tiles (N, 2 H, 2 W, 3) → (4 N, H, W, 3): of each the upper left, upper right, lower left, lower right."""
    high, wide = image.shape[1] // 2, image.shape[2] // 2
    halved = image.reshape(-1, 2, high, 2, wide, 3)
    return halved.permute(0, 1, 3, 2, 4, 5).reshape(-1, high, wide, 3)


class BiomarkerTiles(nn.Module):
    """The served graph: uint8 tiles → readings, and whether there is tumour."""

    def __init__(self, network: BiomarkerNetwork):
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """RGB uint8 (N, 1024, 1024, 3) → two of float32 (N, 1), from 0 to 1: the means of the quarters' answers."""
        # Cast first: TensorRT takes bytes nowhere else.
        answers = self.network(standardised(quarters(image.float()))).sigmoid().reshape(-1, 4, ANSWERS)
        # One after the other: the sum of a row must not depend on how many rows there are.
        mean = (answers[:, 0] + answers[:, 1] + answers[:, 2] + answers[:, 3]) / 4
        return mean[:, :1], mean[:, 1:]


def network_from_weights(weights: dict[str, Tensor]) -> BiomarkerNetwork:
    """The network of one marker that fits `weights`: its width is read off them."""
    network = BiomarkerNetwork(weights[WIDEST].shape[0] / MOST)
    network.load_state_dict(weights)
    return network


def by_marker(weights: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """A file's weights, by marker; ValueError for a name that is no marker's."""
    found: dict[str, dict[str, Tensor]] = {}
    for name, tensor in weights.items():
        marker, _, part = name.partition(".")
        if not MARKER.fullmatch(marker) or not part:
            raise ValueError(f"{name} belongs to no marker: names as ki67.{name} are wanted")
        found.setdefault(marker, {})[part] = tensor
    return found


def together(networks: dict[str, dict[str, Tensor]]) -> dict[str, Tensor]:
    """The other way round."""
    return {f"{marker}.{name}": each for marker, weights in networks.items() for name, each in weights.items()}


def served(weights: dict[str, Tensor]) -> list[ServedGraph]:
    """What `histoserve export biomarker` puts into the model repository: a graph for each marker of the file."""
    return [
        ServedGraph(
            model=f"biomarker_{marker}_network",
            module=BiomarkerTiles(network_from_weights(each)),
            example=(torch.zeros(2, TILE_PX, TILE_PX, 3, dtype=torch.uint8),),
            inputs=("IMAGE",),
            outputs=("READING", "TUMOUR"),
            dynamic={"IMAGE": {0: "N"}},
            parameters={"mpp": f"{MPP:g}"},
            # Of the published width, a tile takes some 300 MB while it is computed.
            max_batch_size=4,
            sizes={"tile_px": {"IMAGE": -2}},
            stamped=True,
        )
        for marker, each in by_marker(weights).items()
    ]
