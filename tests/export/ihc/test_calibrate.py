"""Where tumour ends is told by nuclei that were not trained on, of either kind the same weight."""

import numpy as np
import pytest
import torch

from histoserve.export.ihc.calibrate import TUMOUR, bound, calibrated, logits_of
from histoserve.export.ihc.crops import StainedTile
from histoserve.export.ihc.network import StainedNetwork

SIDE = 64


def tile(tells_tumour: bool = True) -> StainedTile:
    """Four nuclei in noise: 1 and 2 of the tumour, 3 and 4 others."""
    random = np.random.default_rng(0)
    labels = np.zeros((SIDE, SIDE), np.int32)
    for number, (y, x) in enumerate(((4, 4), (4, 36), (36, 4), (36, 36)), start=1):
        labels[y : y + 20, x : x + 20] = number
    image = random.integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
    image[labels > 2] //= 3
    return StainedTile(image, labels, np.array([0, 1, 2, 3, 4], np.uint8), tells_tumour)


def network() -> StainedNetwork:
    torch.manual_seed(0)
    return StainedNetwork(4).eval()


@pytest.mark.parametrize(
    ("logits", "tumour", "wanted"),
    [
        ([-3, -2, 1, 2], [0, 0, 1, 1], -0.5),
        # Ten others do not outvote two tumour cells.
        ([-4] * 9 + [-1, -2, 3], [0] * 10 + [1, 1], -3),
        ([-3, -2], [1, 1], 0),
        ([], [], 0),
    ],
)
def test_the_bound_is_where_most_of_either_kind_are_right(
    logits: list[float], tumour: list[int], wanted: float
) -> None:
    assert bound(np.array(logits, float), np.array(tumour, bool)) == wanted


def test_a_calibrated_network_calls_tumour_from_the_bound_on() -> None:
    logits, tumour = logits_of(network(), tile())
    assert tumour.tolist() == [True, True, False, False]
    least = bound(logits, tumour)

    moved, _ = logits_of(calibrated(network(), [tile()]), tile())

    assert moved == pytest.approx(logits - least, abs=1e-5)


def test_tiles_that_do_not_tell_change_nothing() -> None:
    before = network().head.bias
    after = calibrated(network(), [tile(tells_tumour=False)]).head.bias
    assert before is not None
    assert after is not None
    assert after[TUMOUR] == before[TUMOUR]
