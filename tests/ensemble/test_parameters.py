from typing import Annotated

import numpy as np
import pytest

from histoserve.ensemble.parameters import Range, parameters_from_config


def stage(
    tile: np.ndarray,
    region: np.ndarray,
    *,
    k: Annotated[int, Range(1, 99)],
    types: tuple[str, ...],
    ratio: Annotated[float, Range(0, 1)] = 0.5,
    seam_px: Annotated[int, Range(0, "k")] = 0,
) -> dict:
    return {}


def config(**parameters: str) -> dict:
    values = {key: {"string_value": value} for key, value in parameters.items()}
    return {"name": "demo", "input": [{"name": "REGION"}, {"name": "TILE"}], "parameters": values}


def test_parameters_take_the_annotated_type() -> None:
    found = parameters_from_config(stage, config(k="10", types="a, b", ratio="0.25", mpp="0.5"))
    assert found == {"k": 10, "types": ("a", "b"), "ratio": 0.25}


def test_a_parameter_with_a_default_may_be_absent() -> None:
    assert parameters_from_config(stage, config(k="1", types="a")) == {"k": 1, "types": ("a",)}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"types": "a"}, "demo: config.pbtxt lacks the parameter 'k'"),
        ({"k": "ten", "types": "a"}, "demo: parameter 'k' of config.pbtxt is 'ten'; wanted int"),
        ({"k": "100", "types": "a"}, "demo: parameter 'k' of config.pbtxt is 100; wanted 1 to 99"),
        ({"k": "9", "types": "a", "ratio": "nan"}, "'ratio' of config.pbtxt is nan; wanted 0 to 1"),
        ({"k": "9", "types": "a", "seam_px": "10"}, r"'seam_px' of config.pbtxt is 10; wanted 0 to 9 \(k\)"),
        ({"k": "9", "types": "a", "ratoi": "0.9"}, "lacks the parameter 'ratio'.*'ratoi' meant"),
    ],
)
def test_an_unfit_parameter_is_refused_by_name(given: dict, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        parameters_from_config(stage, config(**given))


def test_inputs_that_the_function_does_not_take_are_refused() -> None:
    bad = config(k="1", types="a") | {"input": [{"name": "IMAGE"}]}
    with pytest.raises(TypeError, match=r"\['image'\].*takes \['tile', 'region'\]"):
        parameters_from_config(stage, bad)
