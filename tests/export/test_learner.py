"""The rate that a network learns at, and the average of its weights that is kept."""

import pytest
import torch
from torch import nn

from histoserve.export.learner import Learner


def test_the_rate_rises_over_3_percent_of_the_steps_and_falls_to_1_percent() -> None:
    network = nn.Linear(1, 1)
    learner = Learner(network, 0.5, 200)
    rates = []
    for _ in range(200):
        rates.append(learner.optimizer.param_groups[0]["lr"] / 0.5)
        learner.learn(network(torch.ones(1)).sum())
    assert (rates[0], rates[5], rates[199]) == pytest.approx((0.04, 1, 0.01))
    assert rates[:6] == sorted(rates[:6])
    assert rates[5:] == sorted(rates[5:], reverse=True)


def test_the_average_starts_at_the_first_step_and_follows_the_later_ones() -> None:
    network = nn.BatchNorm1d(1)
    learner = Learner(network, 0.5, 10)
    for value in (1, 2, 4):
        nn.init.constant_(network.weight, value)
        network.running_mean.fill_(-value)
        network.num_batches_tracked.fill_(value)
        learner.average.update_parameters(network)
    # 1, then 2/11 of that and 9/11 of 2, then 3/12 of that and 9/12 of 4.
    assert learner.mean.weight.item() == pytest.approx(20 / 11 * 3 / 12 + 4 * 9 / 12)
    assert learner.mean.running_mean.item() == pytest.approx(-learner.mean.weight.item())
    assert learner.mean.num_batches_tracked == 4
    assert not learner.mean.training
