"""Stage `tissue_rows`: what the network says of a request's tiles, with their places and what made it."""

import numpy as np
from numpy.typing import NDArray

from histoserve.ensemble.identity import mixed
from histoserve.ensemble.regions import checked_regions
from histoserve.ensemble.tissue.probability import check_probability


def tissue_rows(
    probability: NDArray[np.float32],
    region: NDArray[np.float32],
    network: NDArray[np.int32],
    decoder: NDArray[np.int32],
    *,
    identity: int,
) -> dict[str, NDArray]:
    """A row for each tile, as they came.

    `probability` (N, classes), `region` (N, 4) in level-0 px; `network` and `decoder` (N, 1) what made them, `identity`
    this stage. Returns `PROBABILITY`, `TILE_REGION` and `NETWORK` int32 (N, 1). Raises ValueError for regions that are
    none and numbers that are no probabilities.
    """
    checked_regions("REGION", region, len(region))
    check_probability(probability, len(region))
    steps = {"NETWORK": network, "DECODER": decoder}
    return {"PROBABILITY": probability, "TILE_REGION": region, "NETWORK": mixed(steps, len(region), identity)}
