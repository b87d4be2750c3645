"""Criss-cross attention: every pixel attends to its row and its column (Huang et al., CCNet, 2019)."""

import torch
from torch import Tensor, nn

STRONGEST = 0.05
"""What is gathered is added with at most this weight. A row ends with its tile, so the same nucleus gathers something
else in another tile: unbounded (it became 0.25), one large tile showed 4 % of the nuclei otherwise than small ones."""
LEFT_OUT = 0.5
"""Share of the training samples that pass without attention. What a pixel attends to ends with its tile: a network that
can do without it finds a nucleus the same in whichever tile it lies."""


class CrissCrossAttention(nn.Module):
    """One pass over the w + h − 1 positions of each pixel's row and column; two passes reach the whole image.

    `gamma` starts at zero, so that the module starts as the identity.
    """

    def __init__(self, channels: int, reduction: int = 8):
        super().__init__()
        self.query = nn.Conv2d(channels, channels // reduction, 1)
        self.key = nn.Conv2d(channels, channels // reduction, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        query, key, value = self.query(x), self.key(x), self.value(x)
        height = x.shape[2]
        # The pixel itself stands in its row and in its column: it counts once, in the row.
        rows = torch.arange(height, device=x.device)
        itself = (rows[:, None] == rows[None, :]).to(x.dtype) * -1e4
        along_column = torch.einsum("bchw,bcgw->bhwg", query, key) + itself[None, :, None, :]
        along_row = torch.einsum("bchw,bchv->bhwv", query, key)
        weight = torch.softmax(torch.cat([along_column, along_row], dim=-1), dim=-1)
        column, row = weight[..., :height], weight[..., height:]
        gathered = torch.einsum("bhwg,bcgw->bchw", column, value) + torch.einsum("bhwv,bchv->bchw", row, value)
        if self.training:
            gathered = gathered * (torch.rand(len(x), 1, 1, 1, device=x.device) >= LEFT_OUT)
        return x + STRONGEST * torch.tanh(self.gamma) * gathered


class CorrelationAttention(nn.Module):
    """The multi-task correlation attention: one set of weights through which every branch passes.

    Two criss-cross passes, concatenated with what went in and fused by a 3×3 convolution (CN114627142A [0066-0068]).
    """

    def __init__(self, channels: int):
        super().__init__()
        self.passes = nn.Sequential(CrissCrossAttention(channels), CrissCrossAttention(channels))
        self.fuse = nn.Sequential(
            nn.Conv2d(2 * channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.fuse(torch.cat([self.passes(x), x], dim=1))
