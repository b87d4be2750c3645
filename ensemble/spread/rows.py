"""Stage `spread_rows`: what the network says of a request's regions, with their places and what made it."""

import numpy as np
from numpy.typing import NDArray

from histoserve.ensemble.identity import mixed
from histoserve.ensemble.regions import checked_regions

LAYERS = 13
"""Convolutions of VGG16, each with a classifier of its own (CN113838558A [0064-0081])."""


def spread_rows(
    value: NDArray[np.float32],
    layer_value: NDArray[np.float32],
    region: NDArray[np.float32],
    network: NDArray[np.int32],
    decoder: NDArray[np.int32],
    *,
    identity: int,
) -> dict[str, NDArray]:
    """A row for each region, as they came.

    `value` (N, 1) and `layer_value` (N, 13): shares from 0 to 1; `region` (N, 4) in level-0 px; `network` and `decoder`
    (N, 1) what made them, `identity` this stage. Returns `VALUE` (N,), `LAYER_VALUE`, `TILE_REGION` and `NETWORK` int32
    (N, 1). Raises ValueError for regions that are none and values that are no shares.
    """
    count = len(region)
    checked_regions("REGION", region, count)
    _check_shares("VALUE", value, (count, 1))
    _check_shares("LAYER_VALUE", layer_value, (count, LAYERS))
    return {
        "VALUE": value[:, 0],
        "LAYER_VALUE": layer_value,
        "TILE_REGION": region,
        "NETWORK": mixed({"NETWORK": network, "DECODER": decoder}, count, identity),
    }


def _check_shares(name: str, shares: NDArray[np.float32], shape: tuple[int, int]) -> None:
    if shares.shape != shape:
        raise ValueError(f"{name} is {list(shares.shape)}, wanted {list(shape)}")
    # Written so that NaN is bad.
    bad = ~((shares >= 0) & (shares <= 1)).all(axis=1)
    if bad.any():
        index = int(bad.argmax())
        raise ValueError(f"{name} {index} is {shares[index].tolist()}; wanted shares from 0 to 1")
