"""Weights between those that a training started from and those that it ended with (Wortsman et al., CVPR 2022).

Trained on with more phantoms, a network forgets some of what it knew of real tissue; between both it has most of it.
"""

from collections.abc import Mapping

from torch import Tensor


def between(first: Mapping[str, Tensor], last: Mapping[str, Tensor], stays: float) -> dict[str, Tensor]:
    """`stays` is the share of the first, 0-1; counts are the last's. ValueError for weights of different networks."""
    if {name: each.shape for name, each in first.items()} != {name: each.shape for name, each in last.items()}:
        raise ValueError("the weights to start from are of another network than those that were trained")
    return {
        name: each.lerp(first[name].to(each.dtype), stays) if each.is_floating_point() else each
        for name, each in last.items()
    }
