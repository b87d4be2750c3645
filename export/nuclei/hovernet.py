"""HoVer-Net (Graham et al., Medical Image Analysis 2019), under the parameter names of its public code.

RGB ─▶ conv0 ─▶ d0 ─▶ d1 ─▶ d2 ─▶ d3 ─▶ conv_bot       residual blocks with pre-activation: 1, 1/2, 1/4, 1/8
                 │     │     └─ + ─▶ u3                 a branch each for np, hv and tp: twice the size, added to
                 │     └─ crop ─ + ─▶ u2                the encoder's map, then densely connected convolutions
                 └─ crop ─────── + ─▶ u1 ─▶ u0          without padding, so that the output is smaller
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

ENCODER = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
"""Of each residual block: channels between (the output has four times as many), units, stride of the first."""
GROUPS = 4
"""Of the convolutions in the dense units, each of which adds 32 channels."""


@dataclass(frozen=True)
class Mode:
    """What the two published modes differ in."""

    kernel: int
    """Of the decoder's convolutions"""
    padded: bool
    """Whether the first convolution is"""
    crops: tuple[int, int]
    """Pixels that d0 and d1 lose, in all, before they are added"""
    window_px: int
    """Side of the published input"""
    lost_px: int
    """How much smaller the output is, in all"""


MODES = {
    "original": Mode(kernel=5, padded=False, crops=(184, 72), window_px=270, lost_px=190),
    "fast": Mode(kernel=3, padded=True, crops=(92, 36), window_px=256, lost_px=92),
}


class SamePad(nn.Module):
    """What a convolution with padding "same" sees in TensorFlow: of an odd number, the larger half follows."""

    def __init__(self, kernel: int, stride: int):
        super().__init__()
        self.before, self.after = (kernel - stride) // 2, kernel - stride - (kernel - stride) // 2

    def forward(self, x: Tensor) -> Tensor:
        """Height and width divisible by the stride."""
        return functional.pad(x, (self.before, self.after, self.before, self.after))


def named(*layers: tuple[str, nn.Module]) -> nn.Sequential:
    """In order, under these names."""
    whole = nn.Sequential()
    for name, layer in layers:
        whole.add_module(name, layer)
    return whole


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)


def bn_relu(channels: int) -> nn.Sequential:
    return named(("bn", nn.BatchNorm2d(channels)), ("relu", nn.ReLU()))


class ResidualBlock(nn.Module):
    """Units of 1×1, 3×3, 1×1; each is added to what went in. The first unit finds it activated already."""

    def __init__(self, inputs: int, between: int, units: int, stride: int):
        super().__init__()
        self.units = nn.ModuleList()
        outputs = 4 * between
        for number in range(units):
            given, step = (outputs, 1) if number else (inputs, stride)
            first = (("preact/bn", nn.BatchNorm2d(given)), ("preact/relu", nn.ReLU())) if number else ()
            self.units.append(
                named(
                    *first,
                    ("conv1", conv(given, between, 1)),
                    ("conv1/bn", nn.BatchNorm2d(between)),
                    ("conv1/relu", nn.ReLU()),
                    ("conv2/pad", SamePad(3, step)),
                    ("conv2", conv(between, between, 3, step)),
                    ("conv2/bn", nn.BatchNorm2d(between)),
                    ("conv2/relu", nn.ReLU()),
                    ("conv3", conv(between, outputs, 1)),
                )
            )
        self.shortcut = conv(inputs, outputs, 1, stride)
        self.blk_bna = bn_relu(outputs)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = self.shortcut(x)
        for unit in self.units:
            x = shortcut = unit(x) + shortcut
        return self.blk_bna(x)


class DenseBlock(nn.Module):
    """Each unit sees what went in and what all units before it gave; without padding, so all are cropped alike."""

    def __init__(self, inputs: int, units: int, kernel: int):
        super().__init__()
        self.units = nn.ModuleList()
        for number in range(units):
            given = inputs + 32 * number
            self.units.append(
                named(
                    ("preact_bna/bn", nn.BatchNorm2d(given)),
                    ("preact_bna/relu", nn.ReLU()),
                    ("conv1", conv(given, 128, 1)),
                    ("conv1/bn", nn.BatchNorm2d(128)),
                    ("conv1/relu", nn.ReLU()),
                    ("conv2", conv(128, 32, kernel, groups=GROUPS)),
                )
            )
        self.blk_bna = bn_relu(inputs + 32 * units)
        self.lost = kernel - 1

    def forward(self, x: Tensor) -> Tensor:
        for unit in self.units:
            x = torch.cat([cropped(x, self.lost), unit(x)], 1)
        return self.blk_bna(x)


def cropped(x: Tensor, lost: int) -> Tensor:
    """Without `lost` rows and columns in all, half of them on each side."""
    return x[:, :, lost // 2 : x.shape[2] - (lost - lost // 2), lost // 2 : x.shape[3] - (lost - lost // 2)]


def joined(inputs: int, between: int, units: int, kernel: int) -> nn.Sequential:
    """One scale of a branch."""
    outputs = between + 32 * units
    return named(
        ("conva", conv(inputs, between, kernel)),
        ("dense", DenseBlock(between, units, kernel)),
        ("convf", conv(outputs, outputs, 1)),
    )


def branch(outputs: int, kernel: int) -> nn.ModuleDict:
    last = named(("conva_pad", SamePad(kernel, 1)), ("conva", conv(256, 64, kernel)))
    return nn.ModuleDict(
        {
            "u3": joined(1024, 256, 8, kernel),
            "u2": joined(512, 128, 4, kernel),
            "u1": last,
            "u0": named(("bn", nn.BatchNorm2d(64)), ("relu", nn.ReLU()), ("conv", nn.Conv2d(64, outputs, 1))),
        }
    )


class Unpool(nn.Module):
    """Twice the size: each pixel becomes four, times a matrix that is part of a checkpoint, and 1 in trained ones."""

    unpool_mat: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("unpool_mat", torch.ones(2, 2))

    def forward(self, x: Tensor) -> Tensor:
        factors = self.unpool_mat.repeat(x.shape[2], x.shape[3])
        return functional.interpolate(x, scale_factor=2.0, mode="nearest") * factors


class HoverNet(nn.Module):
    """`types` counts background; 0 for a network that tells no types."""

    def __init__(self, mode: Mode, types: int):
        super().__init__()
        self.mode, self.types = mode, types
        first: Sequence[tuple[str, nn.Module]] = [("pad", SamePad(7, 1))] if mode.padded else []
        self.conv0 = named(*first, ("/", conv(3, 64, 7)), ("bn", nn.BatchNorm2d(64)), ("relu", nn.ReLU()))
        inputs = 64
        for number, (between, units, stride) in enumerate(ENCODER):
            self.add_module(f"d{number}", ResidualBlock(inputs, between, units, stride))
            inputs = 4 * between
        self.conv_bot = conv(inputs, inputs // 2, 1)
        heads = {"tp": types, "np": 2, "hv": 2} if types else {"np": 2, "hv": 2}
        self.decoder = nn.ModuleDict({name: branch(outputs, mode.kernel) for name, outputs in heads.items()})
        self.upsample2x = Unpool()

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """RGB 0-255 float32 (N, 3, H, W) → logits `np` (N, 2, h, w), distances `hv`, and logits `tp` if it has any.

        `hv` is (horizontal, vertical), −1 at a nucleus' left or upper end, 1 at its right or lower one. h is H less
        `lost_px`. H and W are a multiple of 8, or in the original mode 6 more.
        """
        x = self.conv0(image / 255)
        maps = []
        for number in range(len(ENCODER)):
            x = self.get_submodule(f"d{number}")(x)
            maps.append(x)
        deep = self.conv_bot(maps[3])
        fine, half = (cropped(each, lost) for each, lost in zip(maps, self.mode.crops, strict=False))
        outputs = {}
        for name, parts in self.decoder.items():
            x = parts["u3"](self.upsample2x(deep) + maps[2])  # type: ignore[index]
            x = parts["u2"](self.upsample2x(x) + half)  # type: ignore[index]
            outputs[name] = parts["u0"](parts["u1"](self.upsample2x(x) + fine))  # type: ignore[index]
        return outputs
