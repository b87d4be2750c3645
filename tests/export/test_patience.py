"""A training ends when its figure stands, also when it was interrupted in between."""

from pathlib import Path
from typing import Any

import pytest
import torch
from interrupted import interrupted_once
from torch import nn

from histoserve.export.fit import Training, fit


def run(out: Path, figures: Any, patience: int | None) -> int:
    """Epochs that a training takes of which epoch n has the figure `figures(n)`."""
    torch.manual_seed(0)
    numbers = iter(range(100))

    def score(network: nn.Module) -> dict[str, float]:
        return {"good": figures(next(numbers))}

    loss: Any = lambda network, batch: network(batch).mean()  # noqa: E731
    training = Training(nn.Linear(1, 1), lambda _: [torch.ones(1, 1)], 1, loss, score, 0.1, patience=patience)
    fit(training, 10, out)
    state = torch.load(out / "last.pt", weights_only=True)
    return int(state["epoch"])


def falling_from(best: int) -> Any:
    return lambda epoch: float(-abs(epoch - best))


@pytest.mark.parametrize(("patience", "epochs"), [(1, 4), (3, 6), (9, 10), (None, 10)])
def test_it_ends_so_many_epochs_after_its_best(tmp_path: Path, patience: int | None, epochs: int) -> None:
    # The third epoch is the best one.
    assert run(tmp_path, falling_from(2), patience) == epochs


def test_an_interruption_does_not_begin_the_patience_anew(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt, match="up to epoch 4 of 10"):
        run(tmp_path, interrupted_once(falling_from(2), 4), 3)

    # Epochs 5 and 6 are no better than the third either.
    assert run(tmp_path, lambda _: -9.0, 3) == 6


def test_a_finished_training_is_not_gone_on_with(tmp_path: Path) -> None:
    assert run(tmp_path, falling_from(0), 2) == 3
    before = (tmp_path / "last.pt").read_bytes()

    assert run(tmp_path, falling_from(0), 2) == 3
    assert (tmp_path / "last.pt").read_bytes() == before
