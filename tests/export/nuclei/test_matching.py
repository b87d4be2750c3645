import numpy as np
import pytest

from histoserve.export.nuclei.matching import TypeCounts, dice, pair_centroids, panoptic
from histoserve.export.nuclei.score import draw_polygon

TRUTH = np.array([[1, 1, 0, 2], [1, 1, 0, 2], [0, 0, 0, 0]])


def test_panoptic_quality_by_hand() -> None:
    found = np.array([[5, 5, 0, 0], [5, 0, 0, 0], [0, 0, 7, 7]])
    # 5 meets 1 with 3 of 4 pixels; 2 is missed; 7 is invented.
    result = panoptic(found, TRUTH)
    assert (result.detection, result.segmentation) == (0.5, 0.75)
    assert result.quality == 0.375


def test_equal_maps_are_perfect() -> None:
    assert panoptic(TRUTH, TRUTH).quality == 1
    assert dice(TRUTH, TRUTH) == 1


def test_nothing_found_is_worth_nothing() -> None:
    assert panoptic(np.zeros_like(TRUTH), TRUTH).quality == 0


def test_each_nucleus_has_one_partner() -> None:
    found = np.array([[0.0, 0], [1, 0], [100, 100]])
    assert pair_centroids(found, np.array([[0.6, 0], [50, 50]])).tolist() == [[1, 0]]


def test_type_counts_by_hand() -> None:
    counts = TypeCounts()
    counts.add(1, np.array([1, 1, 2, 1]), np.array([1, 2, 2, 1]), np.array([[0, 0], [1, 1], [2, 2]]))
    assert (counts.both, counts.neither, counts.wrong, counts.unpaired) == (1, 1, 1, 2)
    assert counts.f1 == pytest.approx(2 / 5)
    assert counts.f1_hovernet == pytest.approx(4 / 8)


def test_a_polygon_covers_the_pixels_whose_centres_it_holds() -> None:
    labels = np.zeros((4, 5), int)
    draw_polygon(labels, np.array([[1, 0.6], [3, 0.6], [3, 3], [1, 3]]), 9)
    assert labels.tolist() == [[0] * 5, [0, 9, 9, 0, 0], [0, 9, 9, 0, 0], [0] * 5]
