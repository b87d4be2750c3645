"""What decided a window's rows is one number, which any part of it changes."""

import numpy as np
import pytest

from histoserve.ensemble.identity import mixed, stage_identity


def stage(tile: np.ndarray, *, identity: int, side: int, share: float = 0.5) -> dict:
    return {}


def test_a_stage_is_its_parameters_and_no_others() -> None:
    one = stage_identity(stage, {"side": "4", "share": "0.5"})
    assert one == stage_identity(stage, {"share": "0.5", "side": "4", "mpp": "0.25"})
    others = [stage_identity(stage, given) for given in ({"side": "5", "share": "0.5"}, {"side": "4"}, {})]
    assert len({one, *others}) == 4
    assert 0 <= one < 2**31


def test_each_step_and_the_stage_count_for_each_window() -> None:
    network, decoder = np.array([[1], [1], [2], [1]], np.int32), np.array([[5], [5], [5], [6]], np.int32)
    found = mixed({"NETWORK": network, "DECODER": decoder}, 4, 9)
    assert (found.dtype, found.shape) == (np.int32, (4, 1))
    assert found[0] == found[1]
    assert len({*found[:, 0].tolist(), *mixed({"NETWORK": network, "DECODER": decoder}, 4, 8)[:, 0].tolist()}) == 6
    assert mixed({"NETWORK": network[:0], "DECODER": decoder[:0]}, 0, 9).shape == (0, 1)


def test_a_column_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match=r"DECODER is \[3, 1\], wanted \[4, 1\]"):
        mixed({"NETWORK": np.zeros((4, 1), np.int32), "DECODER": np.zeros((3, 1), np.int32)}, 4, 9)
