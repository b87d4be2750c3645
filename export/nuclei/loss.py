"""The losses of CN114627142A: cost-sensitive cross entropy, and what its branches need beside it."""

import torch
from torch import Tensor
from torch.nn import functional

from histoserve.export.nuclei.network import REACH, gradient_kernels

SLOPE_WEIGHT = 20.0
"""Slopes are small numbers: 2 over a nucleus' width inside it, and a few tenths where two nuclei touch."""


def cost_matrix(row_costs: tuple[float, ...]) -> Tensor:
    """W (M, M): `row_costs[j]` for taking a true j for anything else, 0 on the diagonal ([0071-0073])."""
    costs = torch.tensor(row_costs)[:, None].expand(-1, len(row_costs))
    return costs * (1 - torch.eye(len(row_costs)))


def cost_sensitive(logits: Tensor, target: Tensor, costs: Tensor, weight: float) -> Tensor:
    """`CE(y, ŷ) + λ Σ_k softmax(ŷ)_k W[y, k]` per pixel, averaged ([0080-0085]).

    `logits` (B, M, H, W), `target` int64 (B, H, W), `costs` (M, M), `weight` λ.
    """
    expected = (logits.softmax(1) * costs[target].permute(0, 3, 1, 2)).sum(1)
    return functional.cross_entropy(logits, target) + weight * expected.mean()


def slope(distances: Tensor) -> Tensor:
    """Slope of H along x and of V along y, (B, 2, H, W) per pixel, over the window that the served graph uses."""
    kernels = gradient_kernels().to(distances.device)
    return functional.conv2d(functional.pad(distances, [REACH] * 4, mode="replicate"), kernels, groups=2)


def distance_loss(found: Tensor, truth: Tensor, nucleus: Tensor) -> Tensor:
    """Squared error everywhere plus the squared error of the slope inside nuclei; `nucleus` bool (B, H, W)."""
    inside = nucleus[:, None].float()
    steepness = ((slope(found) - slope(truth)) ** 2 * inside).sum() / (2 * inside.sum() + 1e-6)
    return functional.mse_loss(found, truth) + SLOPE_WEIGHT * steepness
