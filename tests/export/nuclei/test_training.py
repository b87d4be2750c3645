from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from histoserve.export.fit import fit
from histoserve.export.nuclei.loss import cost_matrix, cost_sensitive
from histoserve.export.nuclei.tiles import VALIDATION_TILES, consep_tiles, distances


def test_the_cost_sensitive_loss_by_hand() -> None:
    costs = cost_matrix((1.0, 2.0, 10.0))
    assert costs.tolist() == [[0, 1, 1], [2, 0, 2], [10, 10, 0]]
    logits = torch.tensor([0.5, 0.3, 0.2]).log().reshape(1, 3, 1, 1)
    # A true class 2 found with 0.2: CE = -ln 0.2, and 0.8 of the probability costs 10.
    value = cost_sensitive(logits, torch.tensor([[[2]]]), costs, 0.2)
    assert value.item() == pytest.approx(-np.log(0.2) + 0.2 * 10 * 0.8)


def test_the_distances_of_a_bar() -> None:
    labels = np.zeros((3, 7), int)
    labels[1, 1:6] = 4
    found = distances(labels)
    assert found[0, 1].tolist() == [0, -1, -0.5, 0, 0.5, 1, 0]
    assert not found[1].any()
    assert not found[:, [0, 2]].any()


def run(out: Path, epochs: int, interrupt_in: int | None = None) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    network = nn.Linear(3, 1)

    def batches(epoch: int) -> list[torch.Tensor]:
        if epoch == interrupt_in:
            raise KeyboardInterrupt
        return list(torch.randn(4, 8, 3, generator=torch.Generator().manual_seed(epoch)))

    fit(
        network,
        batches=batches,
        steps=4,
        loss=lambda n, x: (n(x) - x.sum(1, keepdim=True)).square().mean(),
        score=lambda n: {"near": -float((n.weight - 1).abs().sum())},
        epochs=epochs,
        highest_rate=0.1,
        out=out,
    )
    return torch.load(out / "best.pt", weights_only=True)


def test_an_interrupted_training_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", 6)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", 6, interrupt_in=3)
    resumed = run(tmp_path / "cut", 6)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_the_validation_tiles_hold_all_types_and_a_fifth_of_the_nuclei(shared: Path) -> None:
    tiles = list(consep_tiles(shared / "consep"))
    held = [tile for tile in tiles if tile.name in VALIDATION_TILES]
    share = sum(len(tile.type_of) - 1 for tile in held) / sum(len(tile.type_of) - 1 for tile in tiles)
    assert [tile.name for tile in held] == list(VALIDATION_TILES)
    assert set(np.concatenate([tile.type_of[1:] for tile in held])) == {1, 2, 3, 4}
    assert share == pytest.approx(0.2, abs=0.02)
