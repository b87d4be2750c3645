"""The slide's readings: the mean of the highest tiles, by hand, whatever the order of the rows."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoserve.ensemble.biomarker.slide import biomarker_slide
from histoserve.ensemble.parameters import parameters_from_config

NETWORK = np.array([[7]], np.int32)


def regions(count: int, columns: int = 3) -> np.ndarray:
    return np.array([[100 * (n % columns), 100 * (n // columns), 100, 100] for n in range(count)], np.float32).reshape(
        -1, 4
    )


def slide(readings: Any, *, k: int = 3, mean_of: Any = "highest", **changes: Any) -> dict[str, np.ndarray]:
    reading = np.array(readings, np.float32)
    tumour = np.ones((len(reading), 1), np.float32)
    told = {"reading": reading, "tumour": tumour, "tile_region": regions(len(reading)), "network": NETWORK, **changes}
    return biomarker_slide(**told, k=k, mean_of=mean_of, least_tumour=0.5)


def shows(*tumour: float) -> np.ndarray:
    return np.array(tumour, np.float32)[:, None]


def test_the_highest_of_each_marker_decide_alone() -> None:
    found = slide([[0.5, 0], [0, 1], [1, 0.25], [0.75, 0.5]], k=2)

    assert found["READING"].tolist() == [0.875, 0.75]
    assert found["TOP"].tolist() == [[2, 3], [1, 3]]
    assert (found["READING"].dtype, found["TOP"].dtype) == (np.float32, np.int32)


def test_all_tiles_decide_if_the_config_says_so() -> None:
    found = slide([[0.5], [0], [1], [0.25]], k=2, mean_of="all")

    assert found["READING"].tolist() == [0.4375]
    assert found["TOP"].tolist() == [[2, 0]]


def test_of_fewer_than_k_all_decide() -> None:
    found = slide([[0.5], [0.25]], k=4)

    assert found["READING"].tolist() == [0.375]
    assert found["TOP"].tolist() == [[0, 1, -1, -1]]


def test_equal_readings_stand_by_y_then_x() -> None:
    # Rows 0 to 3 lie at the lower left, upper right, upper left and lower right.
    places = np.array([[0, 100, 100, 100], [100, 0, 100, 100], [0, 0, 100, 100], [100, 100, 100, 100]], np.float32)
    assert slide([[0.5]] * 4, tile_region=places)["TOP"].tolist() == [[2, 1, 0]]


def test_no_tile_is_no_reading() -> None:
    found = slide(np.zeros((0, 4)), network=np.zeros((0, 1), np.int32))

    assert np.isnan(found["READING"]).all()
    assert found["READING"].shape == (4,)
    assert (found["TOP"] == -1).all()


@pytest.mark.parametrize("mean_of", ["highest", "all"])
def test_a_tile_without_tumour_has_no_reading_however_high(mean_of: str) -> None:
    found = slide([[0.25], [1], [0.75], [0.9]], mean_of=mean_of, tumour=shows(0.5, 0.49, 1, 0))

    assert found["READING"].tolist() == [0.5]
    assert found["TOP"].tolist() == [[2, 0, -1]]


@pytest.mark.parametrize("mean_of", ["highest", "all"])
def test_a_slide_without_tumour_has_no_reading(mean_of: str) -> None:
    found = slide([[0.25, 1], [1, 0]], mean_of=mean_of, tumour=shows(0.1, 0.2))

    assert np.isnan(found["READING"]).all()
    assert (found["TOP"] == -1).all()


def test_thirty_of_a_hundred_as_in_the_document() -> None:
    values = np.random.default_rng(0).permutation(100) / 128

    found = slide(values[:, None], k=30, tile_region=regions(100, 10))

    assert found["READING"][0] == pytest.approx(np.mean(np.arange(70, 100) / 128))
    assert (values[found["TOP"][0]] * 128).astype(int).tolist() == list(range(99, 69, -1))


@settings(deadline=None)
@given(st.permutations(list(range(12))), *[st.lists(st.integers(0, 3), min_size=12, max_size=12)] * 2)
def test_order_and_repetition_change_no_bit(order: list[int], quarters: list[int], seen: list[int]) -> None:
    reading = np.array([[each / 3, (3 - each) / 7] for each in quarters], np.float32)
    rows = [*order, *order[:4]]

    tumour = shows(*(each / 3 for each in seen))

    one = slide(reading, k=5, tumour=tumour)
    other = slide(reading[rows], k=5, tumour=tumour[rows], tile_region=regions(12)[rows])

    assert one["READING"].tobytes() == other["READING"].tobytes()
    assert [[rows[row] if row >= 0 else -1 for row in marker] for marker in other["TOP"]] == one["TOP"].tolist()


@pytest.mark.parametrize(
    ("readings", "changes", "words"),
    [
        ([[0.5], [np.nan]], {}, r"READING 1 is \[nan\]; wanted numbers from 0 to 1"),
        ([[0.5], [-0.1]], {}, "READING 1 is"),
        ([[0.5]], {"tile_region": regions(2)}, r"READING is \[1, 1\], wanted \[2, markers\]"),
        (np.zeros((2, 0)), {}, r"READING is \[2, 0\], wanted"),
        ([0.5, 0.5], {}, r"READING is \[2\], wanted"),
        ([[0.5]], {"tumour": shows(np.nan)}, r"TUMOUR 0 is \[nan\]; wanted numbers from 0 to 1"),
        ([[0.5]], {"tumour": shows(1, 1)}, r"TUMOUR is \[2, 1\], wanted \[1, 1\]"),
        ([[0.5]], {"tumour": np.ones((1, 2), np.float32)}, r"TUMOUR is \[1, 2\], wanted \[1, 1\]"),
        ([[0.5], [0.5]], {"network": np.array([[1], [2]], np.int32)}, "rows of two networks are mixed"),
        ([[0.5]], {"network": np.zeros((0, 1), np.int32)}, "NETWORK is"),
        ([[0.5], [0.25]], {"tile_region": regions(1).repeat(2, 0)}, "row 0 contradicts another of the same region"),
        ([[0.5], [0.5]], {"tile_region": np.float32([[0, 0, 9, 9], [9, 0, 9, 12]])}, "TILE_REGION 0"),
        ([[0.5]] * 3, {"tile_region": np.float32([[0, 0, 9, 9], [9, 0, 9, 9], [13, 0, 9, 9]])}, "TILE_REGION 2"),
    ],
)
def test_rows_that_are_none_or_do_not_belong_together_are_refused(readings: Any, changes: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        slide(readings, **changes)


def config(**parameters: str) -> dict[str, Any]:
    inputs = [{"name": name} for name in ("READING", "TUMOUR", "TILE_REGION", "NETWORK")]
    parameters = {"least_tumour": "0.5", **parameters}
    return {"name": "demo", "input": inputs, "parameters": {k: {"string_value": v} for k, v in parameters.items()}}


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"k": "30", "mean_of": "most"}, "'mean_of' of config.pbtxt is 'most'; wanted 'highest' or 'all'"),
        ({"k": "0", "mean_of": "all"}, "'k' of config.pbtxt is 0; wanted 1 to 4096"),
        ({"k": "30"}, "lacks the parameter 'mean_of'"),
    ],
)
def test_a_rule_that_is_none_is_refused_when_the_model_loads(parameters: dict[str, str], words: str) -> None:
    assert parameters_from_config(biomarker_slide, config(k="30", mean_of="all")) == {
        "k": 30,
        "mean_of": "all",
        "least_tumour": 0.5,
    }
    with pytest.raises(TypeError, match=words):
        parameters_from_config(biomarker_slide, config(**parameters))
