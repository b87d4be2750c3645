"""The blocks of InceptionV3 (Szegedy et al. 2016), under the names of torchvision's, so that its weights fit.

A block's branches lie side by side and are concatenated by channel:

A  1×1 | 5×5 | 3×3 twice | pooling      35×35 at 299 px         B  from A's size to C's
C  1×1 | 7×7 | 7×7 twice | pooling      17×17, 7×7 as 1×7, 7×1  D  from C's size to E's
E  1×1 | 3×3 | 3×3 twice | pooling        8×8, the last 3×3 as 1×3 beside 3×1
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

EPSILON = 0.001
"""Of the batch normalisations, as in the weights' own network."""

Scaled = Callable[[int], int]
"""Channels of the published network → of this one, which may be narrower."""


class Convolution(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int | tuple[int, int], stride: int = 1, pad: bool = False):
        """`pad`: as much as keeps the size, at stride 1."""
        super().__init__()
        high, wide = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (high // 2, wide // 2) if pad else 0
        self.conv = nn.Conv2d(inputs, outputs, (high, wide), stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.relu(self.bn(self.conv(x)))


def averaged(x: Tensor) -> Tensor:
    """The mean of each pixel and those around it; 0 beyond the border."""
    return nn.functional.avg_pool2d(x, 3, 1, 1)


class Block(nn.Module):
    """Branches of convolutions; `outputs` is the number of channels that come out."""

    def __init__(self, convolutions: Mapping[str, Convolution], outputs: int):
        super().__init__()
        for name, convolution in convolutions.items():
            self.add_module(name, convolution)
        self.outputs = outputs

    def run(self, x: Tensor, *names: str) -> Tensor:
        """The convolutions of these names, one after the other."""
        for name in names:
            x = self.get_submodule(name)(x)
        return x


class BlockA(Block):
    """Same size."""

    def __init__(self, inputs: int, pooled: int, scaled: Scaled):
        c48, c64, c96, pool = (scaled(each) for each in (48, 64, 96, pooled))
        convolutions = {
            "branch1x1": Convolution(inputs, c64, 1),
            "branch5x5_1": Convolution(inputs, c48, 1),
            "branch5x5_2": Convolution(c48, c64, 5, pad=True),
            "branch3x3dbl_1": Convolution(inputs, c64, 1),
            "branch3x3dbl_2": Convolution(c64, c96, 3, pad=True),
            "branch3x3dbl_3": Convolution(c96, c96, 3, pad=True),
            "branch_pool": Convolution(inputs, pool, 1),
        }
        super().__init__(convolutions, 2 * c64 + c96 + pool)

    def forward(self, x: Tensor) -> Tensor:
        branches = [
            self.run(x, "branch1x1"),
            self.run(x, "branch5x5_1", "branch5x5_2"),
            self.run(x, "branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"),
            self.run(averaged(x), "branch_pool"),
        ]
        return torch.cat(branches, 1)


class BlockB(Block):
    """Half the size."""

    def __init__(self, inputs: int, scaled: Scaled):
        c64, c96, c384 = (scaled(each) for each in (64, 96, 384))
        convolutions = {
            "branch3x3": Convolution(inputs, c384, 3, 2),
            "branch3x3dbl_1": Convolution(inputs, c64, 1),
            "branch3x3dbl_2": Convolution(c64, c96, 3, pad=True),
            "branch3x3dbl_3": Convolution(c96, c96, 3, 2),
        }
        super().__init__(convolutions, c384 + c96 + inputs)

    def forward(self, x: Tensor) -> Tensor:
        branches = [
            self.run(x, "branch3x3"),
            self.run(x, "branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"),
            nn.functional.max_pool2d(x, 3, 2),
        ]
        return torch.cat(branches, 1)


class BlockC(Block):
    """Same size; `inner`: channels within the 7×7 branches."""

    def __init__(self, inputs: int, inner: int, scaled: Scaled):
        c, c192 = scaled(inner), scaled(192)
        across, down = (1, 7), (7, 1)
        convolutions = {
            "branch1x1": Convolution(inputs, c192, 1),
            "branch7x7_1": Convolution(inputs, c, 1),
            "branch7x7_2": Convolution(c, c, across, pad=True),
            "branch7x7_3": Convolution(c, c192, down, pad=True),
            "branch7x7dbl_1": Convolution(inputs, c, 1),
            "branch7x7dbl_2": Convolution(c, c, down, pad=True),
            "branch7x7dbl_3": Convolution(c, c, across, pad=True),
            "branch7x7dbl_4": Convolution(c, c, down, pad=True),
            "branch7x7dbl_5": Convolution(c, c192, across, pad=True),
            "branch_pool": Convolution(inputs, c192, 1),
        }
        super().__init__(convolutions, 4 * c192)

    def forward(self, x: Tensor) -> Tensor:
        branches = [
            self.run(x, "branch1x1"),
            self.run(x, *(f"branch7x7_{number}" for number in (1, 2, 3))),
            self.run(x, *(f"branch7x7dbl_{number}" for number in (1, 2, 3, 4, 5))),
            self.run(averaged(x), "branch_pool"),
        ]
        return torch.cat(branches, 1)


class BlockD(Block):
    """Half the size."""

    def __init__(self, inputs: int, scaled: Scaled):
        c192, c320 = scaled(192), scaled(320)
        convolutions = {
            "branch3x3_1": Convolution(inputs, c192, 1),
            "branch3x3_2": Convolution(c192, c320, 3, 2),
            "branch7x7x3_1": Convolution(inputs, c192, 1),
            "branch7x7x3_2": Convolution(c192, c192, (1, 7), pad=True),
            "branch7x7x3_3": Convolution(c192, c192, (7, 1), pad=True),
            "branch7x7x3_4": Convolution(c192, c192, 3, 2),
        }
        super().__init__(convolutions, c320 + c192 + inputs)

    def forward(self, x: Tensor) -> Tensor:
        branches = [
            self.run(x, "branch3x3_1", "branch3x3_2"),
            self.run(x, *(f"branch7x7x3_{number}" for number in (1, 2, 3, 4))),
            nn.functional.max_pool2d(x, 3, 2),
        ]
        return torch.cat(branches, 1)


class BlockE(Block):
    """Same size."""

    def __init__(self, inputs: int, scaled: Scaled):
        c192, c320, c384, c448 = (scaled(each) for each in (192, 320, 384, 448))
        across, down = (1, 3), (3, 1)
        convolutions = {
            "branch1x1": Convolution(inputs, c320, 1),
            "branch3x3_1": Convolution(inputs, c384, 1),
            "branch3x3_2a": Convolution(c384, c384, across, pad=True),
            "branch3x3_2b": Convolution(c384, c384, down, pad=True),
            "branch3x3dbl_1": Convolution(inputs, c448, 1),
            "branch3x3dbl_2": Convolution(c448, c384, 3, pad=True),
            "branch3x3dbl_3a": Convolution(c384, c384, across, pad=True),
            "branch3x3dbl_3b": Convolution(c384, c384, down, pad=True),
            "branch_pool": Convolution(inputs, c192, 1),
        }
        super().__init__(convolutions, c320 + 4 * c384 + c192)

    def forward(self, x: Tensor) -> Tensor:
        small = self.run(x, "branch3x3_1")
        large = self.run(x, "branch3x3dbl_1", "branch3x3dbl_2")
        branches = [
            self.run(x, "branch1x1"),
            *(self.run(small, f"branch3x3_2{part}") for part in "ab"),
            *(self.run(large, f"branch3x3dbl_3{part}") for part in "ab"),
            self.run(averaged(x), "branch_pool"),
        ]
        return torch.cat(branches, 1)
