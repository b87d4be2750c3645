"""What the spread network learns by: fourteen cross entropies, each with the share of lesion cells as a soft label."""

import torch
from torch import Tensor
from torch.nn import functional


def losses(layers: Tensor, value: Tensor, share: Tensor) -> Tensor:
    """(N, 13, 2) and (N, 2) logits, (N,) shares → (14,): the mean loss of each classifier, the combining one last.

    A label of 0.3 is a region of which three cells in ten are lesion cells ([0017, 0073, 0082]).
    """
    wanted = torch.stack((1 - share, share), 1)
    logits = [*layers.unbind(1), value]
    return torch.stack([functional.cross_entropy(each, wanted) for each in logits])
