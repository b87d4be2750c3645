"""The network for stained cells: one small one, which sees how dense the stains are and asks three things of a pixel.

    tile ─density─▶ down to 1/16 ─▶ up to 1/2 ─┬─▶ nucleus, and the distances to its centre, as in `nuclei`
                                               ├─▶ positive or negative
                                               ╰─▶ tumour or another cell

What is positive and what is tumour are asked apart: stain decides the one, shape and neighbours the other, and a cell
of a set that tells nothing of tumour still teaches the rest.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from histoserve.export.nuclei.network import NucleiMaps
from histoserve.export.served import ServedGraph

TYPES = ("tumour negative", "tumour positive", "other negative", "other positive")
"""Types 1 to 4; 0 is background."""
MPP = 0.25
WIDTH = 16
"""Channels at half the resolution."""
DEEPEST = 4.0
"""Density from which on light is none: a graph's values stay finite in half precision."""
GROWTH = (1, 2, 4, 6)
"""Channels at 1/2, 1/4, 1/8 and 1/16, of the width."""


def convolution(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    padding = dilation * (kernel // 2)
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class Density(nn.Module):
    """RGB uint8 (N, H, W, 3) → optical density (N, 3, H, W), as dyes add up in it."""

    def forward(self, image: Tensor) -> Tensor:
        return (-((image.float() + 1) / 256).log()).clamp(0.0, DEEPEST).permute(0, 3, 1, 2)


class StainedNetwork(nn.Module):
    """RGB uint8 (N, H, W, 3), H and W divisible by 32 → as `NucleiNetwork`, with the types here."""

    def __init__(self, width: int = WIDTH):
        super().__init__()
        half, quarter, eighth, deep = (width * times for times in GROWTH)
        self.density = Density()
        self.first = convolution(3, half, 5, 2)
        self.down = nn.ModuleList(
            [
                convolution(half, half),
                nn.Sequential(convolution(half, quarter, 3, 2), convolution(quarter, quarter)),
                nn.Sequential(convolution(quarter, eighth, 3, 2), convolution(eighth, eighth)),
                nn.Sequential(
                    convolution(eighth, deep, 3, 2), convolution(deep, deep), convolution(deep, deep, dilation=2)
                ),
            ]
        )
        self.up = nn.ModuleList(
            [
                convolution(deep + eighth, eighth),
                convolution(eighth + quarter, quarter),
                nn.Sequential(convolution(quarter + half, half), convolution(half, half)),
            ]
        )
        self.head = nn.Conv2d(half, 6, 1)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Nucleus logits (N, 2, H, W), distances (N, 2, H, W), type logits (N, 5, H, W)."""
        whole = functional.interpolate(self.at_half(image), scale_factor=2.0, mode="bilinear", align_corners=False)
        ns, ni, positive, tumour = whole[:, :2], whole[:, 2:4], whole[:, 4:5], whole[:, 5:]
        types = [tumour - positive, tumour + positive, -tumour - positive, positive - tumour]
        # What is no nucleus is not a type's to say.
        return ns, ni, functional.pad(torch.cat(types, 1), (0, 0, 0, 0, 1, 0))

    def at_half(self, image: Tensor) -> Tensor:
        """At half the resolution, (N, 6, H/2, W/2): two logits of nucleus, two distances, those of positive, tumour."""
        x = self.first(self.density(image))
        skips = []
        for step in self.down:
            x = step(x)
            skips.append(x)
        for step, skip in zip(self.up, reversed(skips[:-1]), strict=True):
            x = step(torch.cat([functional.interpolate(x, scale_factor=2.0, mode="nearest"), skip], 1))
        found: Tensor = self.head(x)
        return found


class StainedMaps(NucleiMaps):
    """The served graph, as `NucleiMaps`; the network here takes bytes."""

    def __init__(self, network: StainedNetwork):
        super().__init__(network)  # type: ignore[arg-type]
        self.standardise = nn.Identity()  # type: ignore[assignment]


def network_from_weights(weights: dict[str, Tensor]) -> StainedNetwork:
    """The network that fits `weights`."""
    network = StainedNetwork(weights["head.weight"].shape[1])
    network.load_state_dict(weights)
    return network


def served(weights: dict[str, Tensor]) -> list[ServedGraph]:
    """What `histoserve export ihc` puts into the model repository."""
    return [
        ServedGraph(
            model="ihc_network",
            module=StainedMaps(network_from_weights(weights)),
            example=(torch.zeros(2, 64, 96, 3, dtype=torch.uint8),),
            inputs=("IMAGE",),
            outputs=("MAPS",),
            dynamic={"IMAGE": {0: "N", 1: "H", 2: "W"}},
            parameters={"mpp": f"{MPP:g}", "types": ",".join(TYPES)},
            stamped=True,
        )
    ]
