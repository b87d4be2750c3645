"""How a network learns: one step down the loss, at a rate that follows a schedule, and the average that is kept."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR
from torch.optim.swa_utils import AveragedModel

Network = TypeVar("Network", bound=nn.Module)

AVERAGE_DECAY = 0.99
"""Per step: the averaged network, which is validated and kept, follows the last ~100 steps."""
WARM_UP, FIRST, LAST = 0.03, 0.04, 0.01
"""The part of all steps over which the rate rises, and the parts of the highest rate where it begins and ends."""
STEEPEST = 5.0
"""A longer gradient is cut to this length."""


def followed(mean: Tensor, latest: Tensor, steps: Tensor | int) -> Tensor:
    """The exponential moving average of the weights after `steps` steps; the first ones are forgotten sooner."""
    if not mean.dtype.is_floating_point:
        return latest
    decay = min(AVERAGE_DECAY, (1 + int(steps)) / (10 + int(steps)))
    return mean.lerp(latest, 1 - decay)


Recipe = Callable[[nn.Module, float, int], tuple[Optimizer, LRScheduler]]
"""Network, highest rate, steps of the whole training → what moves the weights, and the rate at which."""


def one_cycle(network: nn.Module, rate: float, steps: int) -> tuple[Optimizer, LRScheduler]:
    """AdamW; the rate rises quickly and falls slowly."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-4)
    shape: dict[str, float] = {"pct_start": WARM_UP, "div_factor": 1 / FIRST, "final_div_factor": FIRST / LAST}
    return optimizer, OneCycleLR(optimizer, rate, steps, cycle_momentum=False, **shape)  # type: ignore[arg-type]


class Learner(Generic[Network]):
    """A network with all that changes as it learns."""

    def __init__(self, network: Network, rate: float, steps: int, recipe: Recipe = one_cycle):
        """As Recipe."""
        self.network = network
        self.optimizer, self.schedule = recipe(network, rate, steps)
        # Normalisations' means and variances are averaged with the weights that they belong to.
        self.average = AveragedModel(network, avg_fn=followed, use_buffers=True).eval()

    @property
    def mean(self) -> Network:
        """The averaged network, in evaluation mode."""
        return cast(Network, self.average.module)

    @property
    def parts(self) -> dict[str, Any]:
        """Each with a `state_dict`: what a checkpoint must hold."""
        return {
            "network": self.network,
            "average": self.average,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
        }

    def learn(self, loss: Tensor) -> float:
        """One step; returns the loss as a number."""
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), STEEPEST)
        self.optimizer.step()
        self.schedule.step()
        self.average.update_parameters(self.network)
        return loss.item()
