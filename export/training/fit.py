"""One training loop for every network: progress, interruption, resumption, the best epoch kept."""

import copy
import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

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
) -> Path:
    """Trains until `epochs`, going on from `out/last.pt` if there is one; the best averaged weights: `out/best.pt`.

    `batches(epoch)` gives that epoch's `steps` batches, `loss(network, batch)` is minimised, `score(network)` returns
    figures of which the first decides (higher is better).
    """
    out.mkdir(parents=True, exist_ok=True)
    console = Console()
    optimizer = torch.optim.AdamW(network.parameters(), lr=highest_rate, weight_decay=1e-4)
    average = Average(network)
    done, best = 0, -math.inf
    last = out / "last.pt"
    if last.exists():
        state = torch.load(last, weights_only=True)
        network.load_state_dict(state["network"])
        average.network.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        done, best = state["epoch"], state["best"]
        console.print(f"going on after epoch {done} of {epochs}, best so far {best:.4f}")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        for epoch in range(done, epochs):
            task = progress.add_task(f"epoch {epoch + 1}/{epochs}", total=steps)
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
                progress.advance(task)
            figures = score(average.network)
            deciding = next(iter(figures.values()))
            printed = "  ".join(f"{name} {figure:.4f}" for name, figure in figures.items())
            progress.remove_task(task)
            console.print(
                f"epoch {epoch + 1:3d}  loss {total / steps:.4f}  {printed}{'  *' if deciding > best else ''}"
            )
            if deciding > best:
                best = deciding
                save(average.network.state_dict(), out / "best.pt")
            save(
                {
                    "network": network.state_dict(),
                    "average": average.network.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "epoch": epoch + 1,
                    "best": best,
                },
                last,
            )
    return out / "best.pt"


def save(state: dict[str, Any], path: Path) -> None:
    """Writes beside `path` and renames, so that an interruption leaves the last whole file."""
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)
