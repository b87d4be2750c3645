"""The loss of overlap, for networks that tell classes pixel by pixel."""

from torch import Tensor
from torch.nn import functional


def dice(logits: Tensor, target: Tensor, smooth: float = 1e-3) -> Tensor:
    """One minus the Dice overlap of each class, averaged over those present in `target`."""
    truth = functional.one_hot(target, logits.shape[1]).permute(0, 3, 1, 2).float()
    found = logits.softmax(1)
    overlap = (found * truth).sum((0, 2, 3))
    total = (found + truth).sum((0, 2, 3))
    present = truth.sum((0, 2, 3)) > 0
    return (1 - (2 * overlap + smooth) / (total + smooth))[present].mean()
