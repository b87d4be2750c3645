"""The arithmetic between a tile's bytes and a network that starts from ImageNet."""

import torch
from torch import Tensor, nn

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
"""ImageNet's, per channel, of RGB in 0-1."""


class Standardise(nn.Module):
    """RGB uint8 (N, H, W, 3) → float32 (N, 3, H, W), per channel with mean 0 and deviation 1 over ImageNet.

    Cast before it is turned: TensorRT casts bytes at a network's border, and does nothing else with them.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor([1 / (255 * d) for d in DEVIATION])[:, None, None], persistent=False)
        shift = torch.tensor([m / d for m, d in zip(MEAN, DEVIATION, strict=True)])[:, None, None]
        self.register_buffer("shift", shift, persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        return image.float().permute(0, 3, 1, 2) * self.scale - self.shift
