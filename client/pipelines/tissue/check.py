"""What a server answers of tissue, checked before it is believed."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from histoserve.client.errors import ServerError
from histoserve.client.grid import PlannedTile
from histoserve.client.pipelines.tissue.regions import Tiles
from histoserve.client.tile_rows import l0_regions
from histoserve.client.wire import Outputs

SUM_TOLERANCE = 1e-3
"""How far a row's probabilities may be from 1 in all."""


def check_rows(model: str, outputs: Outputs, tiles: Sequence[PlannedTile], classes: int) -> None:
    """Raises ServerError if the outputs of one request do not fit the tiles sent."""
    _require(model, outputs, "PROBABILITY", np.float32, (len(tiles), classes))
    _require(model, outputs, "TILE_REGION", np.float32, (len(tiles), 4))
    _require_shares(model, outputs["PROBABILITY"])
    if not (outputs["TILE_REGION"] == l0_regions(tiles)).all():
        raise _unfit(model, "other regions than those of the request")


def check_answer(model: str, answer: Outputs, tiles: Tiles) -> None:
    """Raises ServerError if the result does not fit the rows."""
    count, classes = tiles.probability.shape
    for name, dtype, shape in (
        ("PROBABILITY", np.float32, (classes,)),
        ("ABNORMAL", np.bool_, (count,)),
        ("GROUP", np.int32, (count,)),
    ):
        _require(model, answer, name, dtype, shape)
    _require_shares(model, answer["PROBABILITY"][None])
    groups = np.unique(answer["GROUP"][answer["ABNORMAL"]])
    if (groups != np.arange(len(groups))).any() or (answer["GROUP"][~answer["ABNORMAL"]] != -1).any():
        raise _unfit(model, "a GROUP that does not number the ABNORMAL tiles from 0, and all others −1")


def _require(model: str, outputs: Outputs, name: str, dtype: type, shape: tuple[int, ...]) -> None:
    if outputs[name].dtype != dtype or outputs[name].shape != shape:
        raise _unfit(model, f"{name} {outputs[name].dtype} {outputs[name].shape}, wanted {shape}")


def _require_shares(model: str, probability: NDArray[np.float32]) -> None:
    # Written so that NaN is bad.
    shares = ((probability >= 0) & (probability <= 1)).all() and (
        np.abs(probability.sum(axis=1) - 1) <= SUM_TOLERANCE
    ).all()
    if not shares:
        raise _unfit(model, "a PROBABILITY that is no share of 1 among the classes")


def _unfit(model: str, what: str) -> ServerError:
    return ServerError(f"{model} answered {what}. Serve a model repository of this version.")
