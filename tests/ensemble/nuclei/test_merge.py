"""Step 2 joins what step 1 split wrongly, and splits it by shape."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from histoserve.ensemble.nuclei.flood import squared_distance
from histoserve.ensemble.nuclei.merge import weak_pairs
from histoserve.ensemble.nuclei.rules import Rules
from histoserve.ensemble.nuclei.watershed import label_nuclei

RULES = Rules(0.5, 0.3, 0.5, 0.8, opening_px=0, min_area_px=1, min_marker_px=1, max_hole_px=0)


def bar(edge: int, left: int = 1, right: int = 1, length: int = 20) -> np.ndarray:
    """A bar whose two halves are parted by a line of edge strength `edge`, with a type each."""
    maps = np.zeros((12, 2 * length + 5, 3), np.uint8)
    maps[2:10, 2:-2] = 255, 0, left
    maps[2:10, length + 2 :, 2] = right
    maps[2:10, length + 2, 1] = edge
    maps[..., 2] = np.maximum(maps[..., 2], 1)
    return maps


@pytest.mark.parametrize(
    ("edge", "left", "right", "count"),
    [(0, 1, 1, 1), (100, 1, 1, 1), (255, 1, 1, 2), (100, 1, 2, 2)],
    ids=["no edge", "weak edge", "strong edge", "weak edge between types"],
)
def test_halves_of_one_type_with_a_weak_edge_are_one(edge: int, left: int, right: int, count: int) -> None:
    labels, _ = label_nuclei(bar(edge, left, right), RULES)
    assert labels.max() == count


def test_a_merged_object_is_split_at_its_waist_instead() -> None:
    y, x = np.mgrid[:30, :60]
    discs = (np.hypot(x - 18, y - 15) < 12) | (np.hypot(x - 40, y - 15) < 12)
    maps = np.stack([discs * 255, (x == 22) * 90, np.ones_like(x)], -1).astype(np.uint8)
    labels, _ = label_nuclei(maps, RULES)
    assert labels.max() == 2
    assert abs(np.flatnonzero((labels == 2).any(0))[0] - 29) <= 1


def test_the_mean_edge_counts_each_border_pixel_once() -> None:
    labels = np.pad(np.array([[1, 2], [2, 2]], np.int32), 1)
    edge = np.pad(np.array([[100, 40], [10, 255]], np.uint8), 1)
    types = np.array([0, 1, 1], np.uint8)
    assert weak_pairs(labels, edge, types, 51 / 255).tolist() == [[1, 2]]
    assert weak_pairs(labels, edge, types, 50 / 255).tolist() == []


def test_merging_reaches_over_several_instances() -> None:
    maps = np.zeros((12, 64, 3), np.uint8)
    maps[2:10, 2:62] = 255, 0, 4
    maps[2:10, [15, 30, 45], 1] = 90
    labels, types = label_nuclei(maps, RULES)
    assert labels.max() == 1
    assert types.tolist() == [0, 4]


@given(seed=st.integers(0, 10**6), height=st.integers(1, 40), width=st.integers(1, 40), share=st.floats(0.3, 1))
@settings(max_examples=100, deadline=None)
def test_distances_are_exact(seed: int, height: int, width: int, share: float) -> None:
    inside = np.pad((np.random.default_rng(seed).random((height, width)) < share).astype(np.int32), 1)
    expected = np.rint(ndimage.distance_transform_edt(inside) ** 2)
    np.testing.assert_array_equal(squared_distance(inside), expected)
