"""One training loop for every network: progress, interruption, resumption, the best epoch kept."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from torch import Tensor, nn

from histoserve.export.checkpoint import Progress, read_checkpoint, require_room, write_checkpoint
from histoserve.export.learner import Learner, Recipe, one_cycle
from histoserve.export.weight_file import save_with_score

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Training(Generic[Network]):
    """What a training consists of, but for how long it goes on."""

    network: Network
    batches: Callable[[int], Iterable[Any]]
    """Epoch, from 0 on → its batches"""
    steps: int
    """How many these are"""
    loss: Callable[[Network, Any], Tensor]
    """Of one batch: what is minimised"""
    score: Callable[[Network], dict[str, float]]
    """Figures of the averaged network, of which the first decides: higher is better"""
    rate: float
    """The highest learning rate"""
    recipe: Recipe = one_cycle
    """How the rate follows from it"""
    weights: Callable[[Network], Mapping[str, Tensor]] = nn.Module.state_dict
    """What is kept of it"""
    patience: int | None = None
    """Epochs without a better figure after which the training has ended; None for all that there are"""
    made_of: Mapping[str, object] = field(default_factory=dict)
    """The rest in a few words: seed, width, …; another training goes on from no checkpoint of this one"""


def fit(training: Training[Network], epochs: int, out: Path) -> Path:
    """Trains until `epochs`, or its patience, ends, going on from `out/last.pt` if there is one.

    The best averaged weights are `out/best.pt`.

    What is trained follows from `training`, `epochs` and the random state. A training that was interrupted ends, on
    one machine, with the same bits as one that was not.

    KeyboardInterrupt says what is kept. ValueError if a checkpoint is damaged or of another training, or the loss is no
    number any more; OSError if the disk is full.
    """
    out.mkdir(parents=True, exist_ok=True)
    console = Console()
    learner = Learner(training.network, training.rate, epochs * training.steps, training.recipe)
    whole = {**training.made_of, "epochs": epochs, "steps": training.steps, "rate": training.rate}
    last, done = out / "last.pt", Progress()
    if last.exists():
        done = read_checkpoint(last, learner.parts, whole)
        console.print(f"going on after epoch {done.epoch} of {epochs}, best so far {done.best:.4f}")
    else:
        require_room(out, training.network)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Bars(*columns, console=console) as bars:
            for epoch in range(done.epoch, epochs):
                if training.patience is not None and epoch - done.best_epoch >= training.patience:
                    console.print(f"ended after epoch {epoch} of {epochs}: none since {done.best_epoch} was better")
                    break
                total = train_epoch(training, learner, epoch, bars, f"epoch {epoch + 1}/{epochs}")
                figures = training.score(learner.mean)
                require_numbers(epoch, total, figures, last)
                better = next(iter(figures.values())) > done.best
                console.print(told(epoch, total / training.steps, figures, better))
                if better:
                    save_with_score(training.weights(learner.mean), out / "best.pt", figures)
                now = Progress(epoch + 1, *((figures, epoch + 1) if better else (done.figures, done.best_epoch)))
                write_checkpoint(last, now, learner.parts, whole)
                done = now
    except KeyboardInterrupt:
        kept = f"{last} keeps what was trained up to epoch {done.epoch} of {epochs}"
        raise KeyboardInterrupt(kept if done.epoch else f"no epoch of {epochs} was done, so none is kept") from None
    return out / "best.pt"


def train_epoch(training: Training[Network], learner: Learner[Network], epoch: int, bars: Bars, name: str) -> float:
    """Shows a bar called `name` as long as it takes; returns the sum of the losses."""
    task = bars.add_task(name, total=training.steps)
    training.network.train()
    total = 0.0
    for batch in training.batches(epoch):
        total += learner.learn(training.loss(training.network, batch))
        bars.advance(task)
    bars.remove_task(task)
    return total


def require_numbers(epoch: int, total: float, figures: Mapping[str, float], last: Path) -> None:
    """ValueError if the loss or the score is none any more: no later epoch would mend that."""
    if not math.isfinite(total) or not math.isfinite(next(iter(figures.values()))):
        kept = f"what was trained before it is in {last}" if epoch else "nothing was kept"
        raise ValueError(f"epoch {epoch + 1} gave no finite loss or score, so the training ended; {kept}")


def told(epoch: int, loss: float, figures: Mapping[str, float], better: bool) -> str:
    printed = "  ".join(f"{name} {figure:.4f}" for name, figure in figures.items())
    return f"epoch {epoch + 1:3d}  loss {loss:.4f}  {printed}{'  *' if better else ''}"
