"""The network for stained cells: that of nuclei (CN114627142A) with other types, at half its resolution."""

import torch
from torch import Tensor

from histoserve.export.nuclei.network import NucleiMaps, network_from_weights
from histoserve.export.served import ServedGraph

TYPES = ("tumour negative", "tumour positive", "other negative", "other positive")
"""Types 1 to 4; 0 is background."""
MPP = 0.5
"""A nucleus is some 18 px wide, enough for its outline and colour, and costs a quarter of what it does at 0.25."""


def served(weights: dict[str, Tensor]) -> list[ServedGraph]:
    """What `histoserve export ihc` puts into the model repository."""
    network = network_from_weights(weights)
    if network.types != len(TYPES):
        raise ValueError(f"it has {network.types} types, wanted {len(TYPES)}: {', '.join(TYPES)}")
    return [
        ServedGraph(
            model="ihc_network",
            module=NucleiMaps(network),
            example=(torch.zeros(2, 64, 96, 3, dtype=torch.uint8),),
            inputs=("IMAGE",),
            outputs=("MAPS",),
            dynamic={"IMAGE": {0: "N", 1: "H", 2: "W"}},
            parameters={"mpp": f"{MPP:g}", "types": ",".join(TYPES)},
            stamped=True,
        )
    ]
