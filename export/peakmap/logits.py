"""What the head, and each baseline, makes of bags: for several slides at a time."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from histoserve.export.peakmap.bags import Bag
from histoserve.export.peakmap.baselines import statistics


def head_logits(network: nn.Module, bags: list[Bag]) -> Tensor:
    """The served pooling, for several slides at a time."""
    starts = np.cumsum([0] + [len(bag.maps) for bag in bags[:-1]])
    index = [torch.where(bag.index < 0, -1, bag.index + int(start)) for bag, start in zip(bags, starts, strict=True)]
    return network(torch.cat([bag.maps for bag in bags]), torch.stack(index))


def mean_logits(network: nn.Module, bags: list[Bag]) -> Tensor:
    slide = torch.cat([torch.full((len(bag.feature),), number) for number, bag in enumerate(bags)])
    return network(torch.cat([bag.feature for bag in bags]), slide, len(bags))


def statistics_logits(network: nn.Module, bags: list[Bag]) -> Tensor:
    return network(torch.stack([statistics(bag.score) for bag in bags]))


LOGITS: dict[str, Callable[[nn.Module, list[Bag]], Tensor]] = {
    "head": head_logits,
    "mean": mean_logits,
    "statistics": statistics_logits,
}
"""What is trained, and how each sees bags."""
