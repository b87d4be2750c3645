"""One training loop for every network: progress, interruption, resumption, the best epoch kept."""

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from torch import Tensor, nn

from histoserve.export.checkpoint import Progress, read_checkpoint, require_room, write_checkpoint
from histoserve.export.weight_file import save_with_score

Batch = TypeVar("Batch")

AVERAGE_DECAY = 0.99
"""Per step: the averaged network, which is validated and kept, follows the last ~100 steps."""


def learning_rate(progress: float, highest: float) -> float:
    """Warm-up over the first 3 % of `progress` (0-1), then half a cosine to 1 %."""
    warm_up = min(1.0, progress / 0.03)
    return highest * warm_up * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


def ahead(make: Callable[[int], Batch], steps: int) -> Iterator[Batch]:
    """`make(0)` … `make(steps − 1)`, each made by another thread while the one before it is used."""
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(make, 0)
        for step in range(1, steps + 1):
            batch = following.result()
            if step < steps:
                following = pool.submit(make, step)
            yield batch


Network = TypeVar("Network", bound=nn.Module)


class Average(Generic[Network]):
    """An exponential moving average of a network's weights."""

    def __init__(self, network: Network):
        self.network = copy.deepcopy(network).eval()

    def follow(self, network: nn.Module, step: int) -> None:
        decay = min(AVERAGE_DECAY, (1 + step) / (10 + step))
        with torch.no_grad():
            for mine, other in zip(self.network.state_dict().values(), network.state_dict().values(), strict=True):
                if mine.dtype.is_floating_point:
                    mine.lerp_(other, 1 - decay)
                else:
                    mine.copy_(other)


def fit(
    network: Network,
    *,
    batches: Callable[[int], Iterable[Any]],
    steps: int,
    loss: Callable[[Network, Any], Tensor],
    score: Callable[[Network], dict[str, float]],
    epochs: int,
    highest_rate: float,
    out: Path,
    configuration: Mapping[str, object] | None = None,
) -> Path:
    """Trains until `epochs`, going on from `out/last.pt` if there is one; the best averaged weights: `out/best.pt`.

    `batches(epoch)` gives that epoch's `steps` batches, `loss(network, batch)` is minimised, `score(network)` returns
    figures of which the first decides (higher is better). What is trained follows from the arguments, the random state
    and `configuration`, which says in a few words what the arguments are made of. A training that was interrupted ends,
    on one machine, with the same bits as one that was not.

    KeyboardInterrupt says what is kept. ValueError if a checkpoint is damaged or of another training, or the loss is no
    number any more; OSError if the disk is full.
    """
    out.mkdir(parents=True, exist_ok=True)
    console = Console()
    optimizer = torch.optim.AdamW(network.parameters(), lr=highest_rate, weight_decay=1e-4)
    average = Average(network)
    parts = {"network": network, "average": average.network, "optimizer": optimizer}
    whole = {**(configuration or {}), "epochs": epochs, "steps": steps, "rate": highest_rate}
    last, done = out / "last.pt", Progress()
    if last.exists():
        done = read_checkpoint(last, parts, whole)
        console.print(f"going on after epoch {done.epoch} of {epochs}, best so far {done.best:.4f}")
    else:
        require_room(out, network)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Bars(*columns, console=console) as bars:
            for epoch in range(done.epoch, epochs):
                task = bars.add_task(f"epoch {epoch + 1}/{epochs}", total=steps)
                network.train()
                total = 0.0
                for step, batch in enumerate(batches(epoch)):
                    for group in optimizer.param_groups:
                        group["lr"] = learning_rate((epoch + step / steps) / epochs, highest_rate)
                    optimizer.zero_grad()
                    value = loss(network, batch)
                    value.backward()  # type: ignore[no-untyped-call]
                    nn.utils.clip_grad_norm_(network.parameters(), 5.0)
                    optimizer.step()
                    average.follow(network, epoch * steps + step)
                    total += value.item()
                    bars.advance(task)
                figures = score(average.network)
                require_numbers(epoch, total, figures, last)
                better = next(iter(figures.values())) > done.best
                bars.remove_task(task)
                printed = "  ".join(f"{name} {figure:.4f}" for name, figure in figures.items())
                console.print(f"epoch {epoch + 1:3d}  loss {total / steps:.4f}  {printed}{'  *' if better else ''}")
                if better:
                    save_with_score(average.network.state_dict(), out / "best.pt", figures)
                now = Progress(epoch + 1, figures if better else done.figures)
                write_checkpoint(last, now, parts, whole)
                done = now
    except KeyboardInterrupt:
        kept = f"{last} keeps what was trained up to epoch {done.epoch} of {epochs}"
        raise KeyboardInterrupt(kept if done.epoch else f"no epoch of {epochs} was done, so none is kept") from None
    return out / "best.pt"


def require_numbers(epoch: int, total: float, figures: Mapping[str, float], last: Path) -> None:
    """ValueError if the loss or the score is none any more: no later epoch would mend that."""
    if not math.isfinite(total) or not math.isfinite(next(iter(figures.values()))):
        kept = f"what was trained before it is in {last}" if epoch else "nothing was kept"
        raise ValueError(f"epoch {epoch + 1} gave no finite loss or score, so the training ended; {kept}")
