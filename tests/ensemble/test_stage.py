import numpy as np
import pytest

from histoserve.ensemble.stage import parameters_from_config


def stage(tile: np.ndarray, region: np.ndarray, *, k: int, types: tuple[str, ...], ratio: float = 0.5) -> dict:
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
    [({"types": "a"}, "lacks the parameter 'k'"), ({"k": "ten", "types": "a"}, "parameter 'k'.*ten")],
)
def test_an_unfit_parameter_is_refused_by_name(given: dict, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        parameters_from_config(stage, config(**given))


def test_inputs_that_the_function_does_not_take_are_refused() -> None:
    bad = config(k="1", types="a") | {"input": [{"name": "IMAGE"}]}
    with pytest.raises(TypeError, match=r"\['image'\].*takes \['tile', 'region'\]"):
        parameters_from_config(stage, bad)
