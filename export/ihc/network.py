"""The network for stained cells: that of nuclei, shown the tile as if it were H&E, and a small one for the types.

    tile ─unmix─▶ haematoxylin, DAB ─both as haematoxylin─▶ `nuclei` ─▶ nucleus, distances, what tells its types ─╮
                       ╰──────────────────────────────────────────────────────────────────────────── evidence ─▶ types

So outlines are found by weights that saw real nuclei, whatever the marker; only what is positive, and what is tumour,
is learnt from stained tiles.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from histoserve.export.nuclei.network import NucleiMaps, NucleiNetwork
from histoserve.export.nuclei.tiles import STAINS, UNMIX
from histoserve.export.resnet import ResNet34Encoder
from histoserve.export.served import ServedGraph
from histoserve.export.standardise import Standardise

TYPES = ("tumour negative", "tumour positive", "other negative", "other positive")
"""Types 1 to 4; 0 is background."""
MPP = 0.25
"""That of `nuclei`."""
HAEMATOXYLIN, DAB = 1.3, 0.6
"""How dark both stains are shown, as haematoxylin."""
EOSIN, TISSUE, AROUND_PX = 0.35, 0.15, 9
"""How pink what is tissue is shown: where the density of all light is above, over a square so wide."""
AMOUNTS = 3
"""Channels of the evidence that tell haematoxylin, DAB and the rest: the last ones."""
DEEPEST = 4.0
"""More of a stain is as much: a graph's values stay finite in half precision."""


class AsHE(nn.Module):
    """RGB uint8 (N, H, W, 3) → what `nuclei` takes, (N, 3, H, W), and the amounts of the stains, (N, 3, H, W)."""

    stains: Tensor
    unmix: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.standardise = Standardise()
        self.register_buffer("stains", torch.from_numpy(STAINS).float(), persistent=False)
        self.register_buffer("unmix", torch.from_numpy(UNMIX).float(), persistent=False)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        density = -((image.float() + 1) / 256).log()
        amounts = torch.matmul(density, self.unmix).clamp(0, DEEPEST)
        dark = (density.sum(3, keepdim=True) > TISSUE).float().permute(0, 3, 1, 2)
        tissue = functional.avg_pool2d(dark, AROUND_PX, 1, AROUND_PX // 2).permute(0, 2, 3, 1)
        nuclear = HAEMATOXYLIN * amounts[..., :1] + DAB * amounts[..., 2:]
        shown = (-(nuclear * self.stains[0] + EOSIN * tissue * self.stains[1])).exp() * 256 - 1
        return self.standardise(shown.clamp(0, 255)), amounts.permute(0, 3, 1, 2)


class TypeHead(nn.Module):
    """Evidence at half the resolution (N, inputs, h, w) → logits of the types (N, 4, h, w); sees 6 µm around."""

    def __init__(self, inputs: int, channels: int = 16):
        super().__init__()
        layers: list[nn.Module] = []
        for dilation in (1, 2, 4, 4, 1):
            layers += [nn.Conv2d(inputs, channels, 3, padding=dilation, dilation=dilation), nn.ReLU()]
            inputs = channels
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels, len(TYPES), 1))

    def forward(self, evidence: Tensor) -> Tensor:
        logits: Tensor = self.layers(evidence)
        return logits


class StainedNetwork(nn.Module):
    """RGB uint8 (N, H, W, 3) → as `NucleiNetwork`, with the types here."""

    def __init__(self, width: float):
        super().__init__()
        self.as_he, self.nuclei = AsHE(), NucleiNetwork(width)
        # Its own types are of H&E; what they are told by is worth more here than which one it would be.
        self.nuclei.decoders["nc"].head = nn.Identity()
        self.head = TypeHead(ResNet34Encoder.channels_at(width)[0] + 1 + AMOUNTS)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        ns, ni, evidence = self.evidence(image)
        types = functional.interpolate(self.head(evidence), scale_factor=2.0, mode="nearest")
        # What is no nucleus is not a type's to say.
        return ns, ni, functional.pad(types, (0, 0, 0, 0, 1, 0))

    def evidence(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Nucleus logits, distances, and what the types are told by, at half the resolution."""
        shown, amounts = self.as_he(image)
        ns, ni, nc = self.nuclei(shown)
        told = torch.cat([nc, ns.softmax(1)[:, 1:], amounts], 1)
        return ns, ni, functional.avg_pool2d(told, 2)


class StainedMaps(NucleiMaps):
    """The served graph, as `NucleiMaps`; the network here takes bytes."""

    def __init__(self, network: StainedNetwork):
        super().__init__(network)  # type: ignore[arg-type]
        self.standardise = nn.Identity()  # type: ignore[assignment]


def network_from_weights(weights: dict[str, Tensor]) -> StainedNetwork:
    """The network that fits `weights`."""
    network = StainedNetwork(weights["nuclei.encoders.ns.conv1.weight"].shape[0] / 64)
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
