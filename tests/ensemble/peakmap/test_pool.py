"""Attention within the peaks of a type, and nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoserve.ensemble.peakmap.pool import peakmap_pool
from histoserve.ensemble.peakmap.select import peakmap_select

ROUNDING = 1e-7
"""Of attention that is returned in float32."""


def pool(embedding: list, logit: list, peak_index: list) -> dict[str, np.ndarray]:
    return peakmap_pool(
        np.array(embedding, np.float32), np.array(logit, np.float32)[:, None], np.array(peak_index, np.int32)
    )


def test_equal_logits_give_the_mean() -> None:
    found = pool([[0, 0], [2, 4], [4, 8]], [9, 1, 1], [[1, 2, -1]])
    assert found["ATTENTION"].tolist() == [[0.5, 0.5, 0]]
    assert found["POOLED"].tolist() == [[3, 6]]


def test_twice_the_weight_for_a_logit_higher_by_the_logarithm_of_two() -> None:
    found = pool([[0], [3], [6]], [0, np.log(2), 0], [[1, 2]])
    np.testing.assert_allclose(found["ATTENTION"], [[2 / 3, 1 / 3]], rtol=1e-6)
    np.testing.assert_allclose(found["POOLED"], [[4]], rtol=1e-6)


def test_a_type_without_tiles_is_its_all_zero_map() -> None:
    found = pool([[0.5], [3]], [2, 50], [[0, -1], [1, -1]])
    assert found["ATTENTION"].tolist() == [[1, 0], [1, 0]]
    assert found["POOLED"].tolist() == [[0.5], [3]]


def test_types_do_not_see_each_other() -> None:
    alone = pool([[0], [1], [2]], [0, 1, 2], [[1, 2]])
    beside = pool([[0], [1], [2], [9]], [0, 1, 2, 60], [[1, 2], [3, -1]])
    assert beside["POOLED"][0].tobytes() == alone["POOLED"][0].tobytes()


def test_large_logits_do_not_overflow() -> None:
    assert pool([[0], [1], [2]], [0, 3e38, -3e38], [[1, 2]])["ATTENTION"].tolist() == [[1, 0]]


@given(seed=st.integers(0, 10**6), maps=st.integers(1, 40), k=st.integers(1, 12), spread=st.floats(0, 100))
@settings(max_examples=150, deadline=None)
def test_attention_sums_to_one_for_each_type(seed: int, maps: int, k: int, spread: float) -> None:
    random = np.random.default_rng(seed)
    index = np.where(np.arange(k) < random.integers(1, k + 1, 3)[:, None], random.integers(0, maps, (3, k)), -1)
    logit = (spread * random.normal(size=(maps, 1))).astype(np.float32)
    embedding = random.normal(size=(maps, 5)).astype(np.float32)
    found = peakmap_pool(embedding, logit, index.astype(np.int32))
    np.testing.assert_allclose(found["ATTENTION"].astype(np.float64).sum(axis=1), 1, atol=ROUNDING, rtol=0)
    assert (found["ATTENTION"][index < 0] == 0).all()


@given(seed=st.integers(0, 10**6), k=st.integers(1, 12), spread=st.floats(0, 30))
@settings(max_examples=150, deadline=None)
def test_the_order_of_a_types_peaks_changes_the_feature_by_the_last_bit_at_most(
    seed: int, k: int, spread: float
) -> None:
    random = np.random.default_rng(seed)
    embedding = random.normal(size=(k, 5)).astype(np.float32)
    logit = (spread * random.normal(size=(k, 1))).astype(np.float32)
    orders = (np.arange(k), random.permutation(k))
    one, other = (peakmap_pool(embedding, logit, order[None].astype(np.int32))["POOLED"] for order in orders)
    # Sums in float64 agree to far less than half a float32 step of their largest term, and may round to two neighbours.
    assert (np.abs(one - other) <= np.spacing(np.maximum(np.abs(one), np.abs(embedding).max(axis=0) * 1e-7))).all()


@given(seed=st.integers(0, 10**6), count=st.integers(0, 30), k=st.integers(1, 6))
@settings(max_examples=100, deadline=None)
def test_the_order_of_a_slides_tiles_does_not_change_a_bit_of_the_feature(seed: int, count: int, k: int) -> None:
    random = np.random.default_rng(seed)
    place, score = np.arange(count), (random.integers(0, 9, (count, 3)) / 8).astype(np.float32)
    region = np.column_stack((place % 5, place // 5, np.ones((count, 2)))).astype(np.float32)
    maps, mixing = random.normal(size=(count, 4, 1, 1)).astype(np.float16), random.normal(size=(4, 6))

    def feature(order: np.ndarray) -> bytes:
        network = np.zeros((count, 1), np.int32)
        peaks = peakmap_select(region[order], score[order], maps[order], network, k=k, threshold=0.5)
        # Map by map, as an encoder whose rows do not depend on each other.
        encoded = np.array([each.ravel().astype(float) @ mixing for each in peaks["PEAK_MAP"]]).astype(np.float32)
        return peakmap_pool(encoded[:, 1:], encoded[:, :1], peaks["PEAK_INDEX"])["POOLED"].tobytes()

    assert feature(random.permutation(count)) == feature(place)


@pytest.mark.parametrize(
    ("embedding", "logit", "index", "message"),
    [
        ([[0], [1]], [0], [[0]], r"LOGIT \[1, 1\].*wanted \[maps, length\], \[maps, 1\]"),
        ([[0], [1]], [0, 0], [[2]], "rows of EMBEDDING, 0 to 1, or −1"),
        ([[0], [1]], [0, 0], [[-2]], "rows of EMBEDDING"),
        ([[0], [1]], [0, 0], [[0], [-1]], "PEAK_INDEX 1 names no map"),
        ([[0], [np.nan]], [0, 0], [[0]], "EMBEDDING or LOGIT 1 is not finite"),
        ([[0], [1]], [np.inf, 0], [[0]], "EMBEDDING or LOGIT 0 is not finite"),
    ],
)
def test_what_does_not_fit_is_refused(embedding: list, logit: list, index: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pool(embedding, logit, index)


def test_more_peaks_than_the_config_allows_are_refused_before_anything_is_allocated() -> None:
    one, index = np.ones((1, 10_000), np.float32), np.zeros((3, 1_000_000), np.int32)
    with pytest.raises(ValueError, match=r"PEAK_INDEX is \[3, 1000000\]; wanted .* at most 10"):
        peakmap_pool(one, one[:, :1], index, k=10)
