"""Batches of one size: rows that were added are gone before a stage sees them."""

import numpy as np
import pytest

from histoserve.ensemble.padding import padded, padded_to, without_padding


def test_pictures_are_filled_up_with_empty_ones() -> None:
    image, network = np.ones((3, 2, 2, 3), np.uint8), np.ones((3, 1), np.int32)
    result = padded({"IMAGE": image, "NETWORK": network}, 5)
    assert result["IMAGE"].shape == (5, 2, 2, 3)
    assert result["IMAGE"][:3].all()
    assert not result["IMAGE"][3:].any()
    assert result["NETWORK"] is network


def test_a_slides_peaks_are_filled_up_and_their_index_stays() -> None:
    result = padded({"PEAK_MAP": np.ones((2, 4, 1, 1), np.float16), "PEAK_INDEX": np.array([[1, -1], [0, -1]])}, 5)
    assert (result["PEAK_MAP"].shape, result["PEAK_MAP"].dtype) == ((5, 4, 1, 1), np.float16)
    assert not result["PEAK_MAP"][2:].any()
    assert result["PEAK_INDEX"].shape == (2, 2)


@pytest.mark.parametrize("rows", [0, 3])
def test_a_full_batch_and_one_that_may_have_any_size_stay(rows: int) -> None:
    outputs = {"IMAGE": np.ones((3, 2, 2, 3), np.uint8), "NETWORK": np.ones((3, 1), np.int32)}
    result = padded(outputs, rows)
    assert {name: len(each) for name, each in result.items()} == {"IMAGE": 3, "NETWORK": 3}
    assert result["IMAGE"].all()


def test_more_windows_than_the_network_takes_are_refused() -> None:
    with pytest.raises(ValueError, match="6 rows of IMAGE, and the network takes 5"):
        padded({"IMAGE": np.ones((6, 2, 2, 3), np.uint8)}, 5)


def test_what_the_network_said_of_empty_ones_is_left_out() -> None:
    given = {"maps": np.arange(5), "network": np.arange(5), "decoder": np.arange(2), "window": np.arange(2)}
    found = without_padding(given, 5)
    assert {name: len(each) for name, each in found.items()} == dict.fromkeys(given, 2)
    assert found["maps"].tolist() == [0, 1]


@pytest.mark.parametrize(("rows", "decoder"), [(0, 2), (5, 5), (4, 2)])
def test_inputs_that_were_not_filled_up_stay_so_that_a_wrong_number_is_told(rows: int, decoder: int) -> None:
    given = {"maps": np.arange(5), "decoder": np.arange(decoder)}
    assert len(without_padding(given, rows)["maps"]) == 5


def test_the_number_of_rows_is_one() -> None:
    assert padded_to({}) == 0
    assert padded_to({"parameters": {"padded_to": {"string_value": "16"}}}) == 16
    with pytest.raises(ValueError, match="padded_to: wanted a number of rows"):
        padded_to({"parameters": {"padded_to": {"string_value": "all"}}})
