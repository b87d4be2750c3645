"""A row for each region, or words why not."""

from typing import Any

import numpy as np
import pytest

from histoserve.ensemble.spread.rows import spread_rows


def tensors(count: int, **changes: Any) -> dict[str, np.ndarray]:
    region = np.array([(10 * x, 0, 10, 10) for x in range(count)], np.float32).reshape(-1, 4)
    value = np.linspace(0, 1, count, dtype=np.float32)[:, None]
    ones = np.ones((count, 1), np.int32)
    steps = {"network": ones, "decoder": ones}
    return {"value": value, "layer_value": value.repeat(13, 1), "region": region, **steps, **changes}


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_row_a_region_in_their_order(count: int) -> None:
    rows = spread_rows(**tensors(count), identity=3)
    np.testing.assert_array_equal(rows["VALUE"], np.linspace(0, 1, count, dtype=np.float32))
    assert {name: array.shape for name, array in rows.items()} == {
        "VALUE": (count,), "LAYER_VALUE": (count, 13), "TILE_REGION": (count, 4), "NETWORK": (count, 1)
    }  # fmt: skip


def test_the_identity_of_the_stage_and_of_the_steps_before_counts() -> None:
    one, again, other = (spread_rows(**tensors(1), identity=i)["NETWORK"].item() for i in (3, 3, 4))
    decoder = spread_rows(**tensors(1, decoder=np.full((1, 1), 9, np.int32)), identity=3)["NETWORK"].item()
    assert one == again
    assert len({one, other, decoder}) == 3


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"value": np.full((2, 1), np.nan, np.float32)}, r"VALUE 0 is \[nan\]; wanted shares"),
        ({"value": np.full((2, 1), 1.01, np.float32)}, "VALUE 0 is"),
        ({"value": np.zeros((2, 2), np.float32)}, r"VALUE is \[2, 2\], wanted \[2, 1\]"),
        ({"layer_value": np.zeros((2, 12), np.float32)}, r"LAYER_VALUE is \[2, 12\], wanted \[2, 13\]"),
        ({"layer_value": np.full((2, 13), -0.1, np.float32)}, "LAYER_VALUE 0 is"),
        ({"region": np.zeros((2, 4), np.float32)}, "REGION 0 is"),
        ({"network": np.zeros((3, 1), np.int32)}, "NETWORK is"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(changes: dict[str, np.ndarray], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        spread_rows(**tensors(2, **changes), identity=3)
