"""The peaks while rows come in, and the floor that they make."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from peak_wire import NO_FLOOR, THRESHOLD, Outputs, rows, tiles_answer, without_network

from histoserve.client.pipelines.peakmap.peaks import Peaks


def test_the_floor_is_the_score_of_the_kth_best() -> None:
    peaks = Peaks(3, 2, 0.5)
    floors = []
    for tile in [(0, 0.6), (1, 0.4), (0, 0.6), (2, 0.9), (3, 0.7), (4, 0.65)]:
        peaks.add(rows(tile))
        floors.append(round(float(peaks.floor[0]), 2))
    assert floors == [-1, -1, -1, 0.6, 0.7, 0.7]
    assert peaks.floor.tolist()[1:] == [-1, -1]
    assert peaks.rows is not None
    assert peaks.rows["TILE_REGION"][:, 0].tolist() == [2, 3]


@given(seed=st.integers(0, 10**6), count=st.integers(0, 150), k=st.integers(1, 5))
@settings(max_examples=100, deadline=None)
def test_what_is_kept_gives_the_peaks_of_the_whole_slide(seed: int, count: int, k: int) -> None:
    random = np.random.default_rng(seed)
    place, score = random.permutation(count), (random.integers(0, 9, (count, 3)) / 8).astype(np.float32)
    region = np.column_stack((place % 5, place // 5, np.ones((count, 2)))).astype(np.float32)
    peaks, last = Peaks(3, k, THRESHOLD), NO_FLOOR
    for part in np.array_split(np.repeat(np.arange(count), 2), random.integers(1, 9)):
        if len(part):
            peaks.add(without_network(tiles_answer(region[part], score[part], peaks.floor_for(region[part]), k=k)))
        assert (peaks.floor >= last).all()
        last = peaks.floor
    whole = without_network(tiles_answer(region, score, NO_FLOOR, k=k))
    kept = peaks.rows or {name: array[:0] for name, array in whole.items()}
    assert len(kept["SCORE"]) <= 3 * k
    for name, array in whole.items():
        assert array.tobytes() == kept[name].tobytes()


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (rows((0, 0.7)), "two rows with a different SCORE for one tile"),
        ({**rows((0, 0.6)), "FEATURE_MAP": np.ones((1, 3, 1, 1), np.float16)}, "different FEATURE_MAP"),
    ],
)
def test_rows_that_contradict_those_before_change_nothing(second: Outputs, message: str) -> None:
    peaks = Peaks(3, 1, 0.5)
    peaks.add(rows((0, 0.6)))
    with pytest.raises(ValueError, match=message):
        peaks.add(second)
    assert peaks.floor[0] == np.float32(0.6)


def test_the_floor_is_above_equal_scores_behind_the_last_peak() -> None:
    peaks = Peaks(3, 2, 0.5)
    peaks.add(rows((4, 0.75), (6, 0.75), score_of_others=0.5))
    floors = {x: peaks.floor_for(rows((x, 0), (9, 0))["TILE_REGION"])[0] for x in (5, 6, 7)}
    assert floors == {5: np.float32(0.75), 6: np.float32(0.75), 7: np.nextafter(np.float32(0.75), np.float32(1))}
    assert peaks.floor_for(rows((7, 0))["TILE_REGION"])[2] == -1
