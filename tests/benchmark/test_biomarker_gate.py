"""What the gate computes, and a small run of it."""

import numpy as np
import pytest

from histoserve.benchmark.biomarker_gate.bench import LEAST, area_under_curve, gate, passes
from histoserve.benchmark.biomarker_gate.tiles import measured

FAIR = {"red": 0.5, "green": 0.45, "blue": 0.55, "density": 0.5}


def test_area_under_curve_that_a_person_can_check() -> None:
    high = np.array([True, False, True, False])

    assert area_under_curve(np.array([4.0, 1.0, 3.0, 2.0]), high) == 1.0
    assert area_under_curve(np.array([1.0, 4.0, 3.0, 2.0]), high) == 0.25
    assert area_under_curve(np.ones(4), high) == 0.5
    assert np.isnan(area_under_curve(np.ones(4), np.ones(4, bool)))


def test_the_gate_closes_on_a_void_sign_on_a_colour_and_on_null() -> None:
    good = {name: {"sign": 0.9, **FAIR} for name in LEAST} | {"null": {"sign": 0.5, **FAIR}}

    assert passes(good)
    assert not passes(good | {"er": {"sign": 0.7, **FAIR}})
    assert not passes(good | {"pr": {"sign": 0.9, **FAIR, "blue": 0.2}})
    assert not passes(good | {"null": {"sign": 0.8, **FAIR}})


@pytest.mark.slow
def test_a_few_tiles_already_show_every_sign() -> None:
    found = gate(list(measured(range(30))))

    assert found["ki67"]["sign"] > 0.7
    assert found["er"]["sign"] > 0.7
    assert found["her2"]["sign"] > 0.7
    # Of 30 tiles this strays by 0.1.
    assert 0.2 < found["null"]["sign"] < 0.8
