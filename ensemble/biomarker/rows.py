"""Stage `biomarker_rows`: what the networks, one a marker, read in a request's tiles, with their places."""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from histoserve.ensemble.identity import mixed
from histoserve.ensemble.parameters import ForEach
from histoserve.ensemble.regions import checked_regions


def biomarker_rows(
    region: NDArray[np.float32],
    decoder: NDArray[np.int32],
    *,
    markers: tuple[str, ...],
    identity: int,
    **of_markers: Annotated[NDArray, ForEach("markers", ("", "tumour_", "network_"))],
) -> dict[str, NDArray]:
    """A row for each tile, as they came.

    `region` (N, 4) in level-0 px; `decoder` (N, 1) what made the pictures, `identity` this stage. For each of `markers`
    the input of its name (N, 1), float32 readings from 0 to 1, `tumour_<name>` likewise, whether that network sees
    tumour, and `network_<name>` int32 (N, 1), what read them.
    Returns `READING` float32 (N, markers), a column a marker, `TUMOUR` float32 (N, 1), the mean of what the networks
    see, `TILE_REGION` and `NETWORK` int32 (N, 1). Raises ValueError for regions that are none and numbers that are no
    readings.
    """
    count = len(region)
    checked_regions("REGION", region, count)
    columns = {marker: of_markers[marker.lower()] for marker in markers}
    tumour = {f"TUMOUR_{marker}": of_markers[f"tumour_{marker.lower()}"] for marker in markers}
    for name, column in (columns | tumour).items():
        _check(name, column, count)
    steps = {f"NETWORK_{marker}": of_markers[f"network_{marker.lower()}"] for marker in markers}
    return {
        "READING": np.hstack([*columns.values()]),
        # In float64 and by rows: as alone, whatever the batch.
        "TUMOUR": np.hstack([*tumour.values()]).astype(np.float64).mean(axis=1, keepdims=True).astype(np.float32),
        "TILE_REGION": region,
        "NETWORK": mixed({**steps, "DECODER": decoder}, count, identity),
    }


def _check(name: str, column: NDArray[np.float32], count: int) -> None:
    if column.shape != (count, 1):
        raise ValueError(f"{name} is {list(column.shape)}, wanted [{count}, 1]: one number for each region")
    # Written so that NaN is bad.
    bad = ~((column >= 0) & (column <= 1))[:, 0]
    if bad.any():
        index = int(bad.argmax())
        raise ValueError(f"{name} {index} is {column[index, 0]}; wanted a number from 0 to 1")
