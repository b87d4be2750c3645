"""What of a network is served: the declaration by which it is traced, checked and put into the model repository."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

# Whoever reads a repository's graphs, to build engines of them, has no PyTorch.
if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Rows:
    """A number of rows that follows from sizes of the pipeline: their product, and `more`."""

    sizes: tuple[str, ...]
    more: int = 0

    def __str__(self) -> str:
        return f"{' × '.join(self.sizes)} + {self.more}"


@dataclass(frozen=True)
class ServedGraph:
    """A network with its pre- and post-arithmetic, and what its model's config has to say."""

    model: str
    """The model's name in the repository."""
    module: nn.Module
    example: tuple[Tensor, ...]
    """Inputs to trace with; two or more along every free axis."""
    inputs: Sequence[str]
    outputs: Sequence[str]
    dynamic: Mapping[str, Mapping[int, str]]
    """Input → axis → name of every axis whose length is free; axis 0 is the batch."""
    parameters: Mapping[str, str]
    """What clients and stages must know about the network: `mpp`, `types`, …"""
    max_batch_size: int = 16
    """Of a config that is written anew; 0 for a graph without a batch axis."""
    sizes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Sizes that all models of the pipeline share: name → tensor → axis, counted from the last (−1)."""
    at_once: Rows | None = None
    """The most rows that another stage puts into one request, where no client can choose fewer."""
    stamped: bool = False
    """Whether the graph says which graph it is, in an output NETWORK: those that decide rows do."""
