"""The nuclei network: three branches that share one attention module (CN114627142A)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from histoserve.export.nuclei.attention import CorrelationAttention
from histoserve.export.resnet import ResNet34Encoder
from histoserve.export.served import ServedGraph
from histoserve.export.standardise import Standardise

TYPES = ("other", "inflammatory", "epithelial", "spindle")
"""Types 1 to 4, in the order of CoNSeP's labels; 0 is background."""

REACH, SIGMA = 3, 1.0
"""Half-width and deviation, in pixels, of the window over which the distances' gradients are taken."""
STEEPEST = 0.25
"""Fall of the distance per pixel that counts as a full edge: networks blur the fall of 2 between touching nuclei."""


class Decoder(nn.Module):
    """From the attended map back to full size, joining the encoder's skip at each scale."""

    def __init__(self, channels: list[int], outputs: int):
        super().__init__()
        *skips, inputs = channels
        self.joins = nn.ModuleList()
        for skip in reversed(skips):
            self.joins.append(
                nn.Sequential(nn.Conv2d(inputs + skip, skip, 3, 1, 1, bias=False), nn.BatchNorm2d(skip), nn.ReLU(True))
            )
            inputs = skip
        self.head = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, skips: list[Tensor]) -> Tensor:
        for join, skip in zip(self.joins, reversed(skips), strict=True):
            x = join(torch.cat([functional.interpolate(x, scale_factor=2.0, mode="nearest"), skip], dim=1))
        return self.head(x)


class NucleiNetwork(nn.Module):
    """RGB tile → nucleus logits (NS), distances to the nucleus' centre (NI) and type logits (NC).

    NS, NI and NC each have an encoder and a decoder of their own; between them stands the attention, whose weights the
    three share ([0057], [0066-0068], [0090-0093]).
    """

    def __init__(self, width: float = 1.0, types: int = len(TYPES)):
        super().__init__()
        self.width, self.types = width, types
        outputs = {"ns": 2, "ni": 2, "nc": 1 + types}
        self.encoders = nn.ModuleDict({name: ResNet34Encoder(width) for name in outputs})
        channels = ResNet34Encoder.channels_at(width)
        self.attention = CorrelationAttention(channels[-1])
        self.decoders = nn.ModuleDict({name: Decoder(channels, count) for name, count in outputs.items()})

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Standardised RGB (B, 3, H, W), H and W divisible by 32 → (B, 2, H, W), (B, 2, H, W), (B, 1 + types, H, W).

        NI is (horizontal, vertical), −1 at a nucleus' left or upper end, 0 at its centre, 1 at the right or lower end.
        """
        features = {name: encoder(x) for name, encoder in self.encoders.items()}
        deepest = torch.stack([maps[-1] for maps in features.values()])
        attended = self.attention(deepest.flatten(0, 1)).unflatten(0, deepest.shape[:2])
        ns, ni, nc = (
            self.decoders[name](deep, maps[:-1]) for deep, (name, maps) in zip(attended, features.items(), strict=True)
        )
        return ns, ni, nc


class NucleiMaps(nn.Module):
    """The served graph: uint8 tiles → three bytes per pixel, all that the watershed stage needs.

    Around the network stand the standardisation before it, and after it the softmax, the gradients of the distances and
    the choice of the type, so that 3 bytes per pixel leave the graph instead of 9 floats.
    """

    kernels: Tensor

    def __init__(self, network: NucleiNetwork):
        super().__init__()
        self.standardise, self.network = Standardise(), network
        self.register_buffer("kernels", gradient_kernels(), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """RGB uint8 (N, H, W, 3) → uint8 (N, H, W, 3): foreground 0-255, edge 0-255, type 1…types.

        Edge 255 is a fall of the distance by `STEEPEST` per pixel or more. The type is the likeliest of the nuclear
        ones: whether a pixel belongs to a nucleus is the foreground's to say.
        """
        ns, ni, nc = self.network(self.standardise(image))
        foreground = ns.softmax(1)[:, 1:]
        padded = functional.pad(ni, (REACH, REACH, REACH, REACH), mode="replicate")
        fall = -functional.conv2d(padded, self.kernels, groups=2)
        edge = (fall.amax(1, keepdim=True) / STEEPEST).clamp(0, 1)
        kind = nc[:, 1:].argmax(1, keepdim=True) + 1
        levels = (torch.cat([foreground, edge], 1) * 255 + 0.5).to(torch.uint8)
        return torch.cat([levels, kind.to(torch.uint8)], 1).permute(0, 2, 3, 1)


def gradient_kernels() -> Tensor:
    """Derivative-of-Gaussian kernels for d/dx of H and d/dy of V: (2, 1, side, side), slope in distance per pixel.

    Sobel's kernel with a smoother window; fixed in pixels, so that an edge weighs the same whichever tile holds it.
    """
    offset = torch.arange(-REACH, REACH + 1, dtype=torch.float32)
    smooth = torch.exp(-(offset**2) / (2 * SIGMA**2))
    smooth = smooth / smooth.sum()
    derive = offset * smooth
    derive = derive / (offset * derive).sum()
    along_x = smooth[:, None] * derive[None, :]
    return torch.stack([along_x, along_x.T])[:, None]


def network_from_weights(weights: dict[str, Tensor]) -> NucleiNetwork:
    """The network that fits `weights`: its width is read off the first convolution, its types off the last."""
    width = weights["encoders.ns.conv1.weight"].shape[0] / 64
    network = NucleiNetwork(width, weights["decoders.nc.head.weight"].shape[0] - 1)
    network.load_state_dict(weights)
    return network


def served(weights: dict[str, Tensor]) -> list[ServedGraph]:
    """What `histoserve export nuclei` puts into the model repository."""
    network = network_from_weights(weights)
    return [
        ServedGraph(
            model="nuclei_network",
            module=NucleiMaps(network),
            example=(torch.zeros(2, 64, 96, 3, dtype=torch.uint8),),
            inputs=("IMAGE",),
            outputs=("MAPS",),
            dynamic={"IMAGE": {0: "N", 1: "H", 2: "W"}},
            parameters={"mpp": "0.25", "types": ",".join(TYPES)},
            stamped=True,
        )
    ]
