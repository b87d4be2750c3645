"""A row has the readings of all networks, in the order of the markers, and the identity of all that made them."""

from typing import Any

import numpy as np
import pytest

from histoserve.ensemble.biomarker.rows import biomarker_rows
from histoserve.ensemble.parameters import parameters_from_config

MARKERS = ("Ki67", "ER")
REGION = np.array([[0, 0, 1024, 1024], [1024, 0, 1024, 1024]], np.float32)


def readings(*values: float) -> np.ndarray:
    return np.array(values, np.float32)[:, None]


def made(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int32)[:, None]


GIVEN: dict[str, Any] = {
    "region": REGION,
    "decoder": made(5, 5),
    "ki67": readings(0.25, 1),
    "er": readings(0, 0.5),
    "tumour_ki67": readings(0.5, 1),
    "tumour_er": readings(0.25, 0),
    "network_ki67": made(1, 1),
    "network_er": made(2, 2),
}


def rows(**changes: Any) -> dict[str, np.ndarray]:
    return biomarker_rows(**{**GIVEN, **changes}, markers=MARKERS, identity=3)


def test_columns_stand_in_the_order_of_the_markers() -> None:
    found = rows()

    assert found["READING"].tolist() == [[0.25, 0], [1, 0.5]]
    assert found["READING"].dtype == np.float32
    assert found["TILE_REGION"] is REGION


def test_tumour_is_what_the_networks_see_of_it_on_the_mean() -> None:
    found = rows()["TUMOUR"]
    assert (found.tolist(), found.dtype) == ([[0.375], [0.5]], np.float32)


def test_each_network_is_told_and_which_marker_it_read() -> None:
    first = rows()["NETWORK"]

    assert first.shape == (2, 1)
    assert first[0] == first[1]
    other = rows(network_er=made(2, 9))["NETWORK"]
    assert other[0] == first[0] != other[1]
    swapped = rows(network_ki67=made(2, 2), network_er=made(1, 1))["NETWORK"]
    assert (swapped != first).all()


def test_no_tile_gives_no_row() -> None:
    found = rows(**{name: array[:0] for name, array in GIVEN.items()})
    assert (found["READING"].shape, found["NETWORK"].shape) == ((0, 2), (0, 1))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"er": readings(0, np.nan)}, "ER 1 is nan; wanted a number from 0 to 1"),
        ({"ki67": readings(1.5, 0)}, "Ki67 0 is 1.5; wanted"),
        ({"tumour_er": readings(0, np.nan)}, "TUMOUR_ER 1 is nan; wanted a number from 0 to 1"),
        ({"tumour_ki67": readings(0.5)}, r"TUMOUR_Ki67 is \[1, 1\], wanted \[2, 1\]"),
        ({"ki67": readings(0.5)}, r"Ki67 is \[1, 1\], wanted \[2, 1\]"),
        ({"network_er": made(2)}, r"NETWORK_ER is \[1, 1\], wanted \[2, 1\]"),
        ({"region": np.zeros((2, 4), np.float32)}, "REGION 0 is"),
    ],
)
def test_what_is_no_reading_is_refused_by_name(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        rows(**change)


def config(markers: str, *inputs: str) -> dict[str, Any]:
    named = [{"name": name} for name in ("REGION", "DECODER", *inputs)]
    return {"name": "demo", "input": named, "parameters": {"markers": {"string_value": markers}}}


ER, NULL = (("ER", "TUMOUR_ER", "NETWORK_ER"), ("NULL", "TUMOUR_NULL", "NETWORK_NULL"))


def test_markers_are_those_of_the_config_whichever_they_are() -> None:
    found = parameters_from_config(biomarker_rows, config("ER, null", *ER, *NULL))
    assert found == {"markers": ("ER", "null")}


@pytest.mark.parametrize(
    "wrong",
    [config("ER,null", *ER), config("ER", *ER, *NULL), config("ER,ER", *ER), config("ER", "ER"), config("", *ER)],
)
def test_a_config_whose_inputs_are_not_the_markers_is_refused_when_the_model_loads(wrong: dict[str, Any]) -> None:
    with pytest.raises(
        TypeError, match=r"demo: parameter 'markers' of config.pbtxt is .*, for which it takes the inputs"
    ):
        parameters_from_config(biomarker_rows, wrong)
