"""The stains of slides: two ranges that do not meet, wider than what a lesion changes."""

import numpy as np
import pytest

from histoserve.phantom.lesion.plan import lesion_slide
from histoserve.phantom.lesion.stains import BALANCE, HUE, THICKNESS, stains
from histoserve.phantom.stain import EOSIN, HAEMATOXYLIN


def away(seed: int, within: str) -> np.ndarray:
    """Thickness, balance, and hue of either dye, in parts of the most that training sees."""
    chosen = stains(seed, within)
    dyes = np.log([chosen.haematoxylin, chosen.eosin]) - np.log([HAEMATOXYLIN, EOSIN])
    thickness, balance = dyes.mean(), (dyes[0] - dyes[1]).mean() / 2
    hue = np.linalg.norm(dyes - dyes.mean(axis=1, keepdims=True), axis=1)
    return np.abs([thickness / THICKNESS, balance / BALANCE, *hue / HUE])


def test_stains_outside_are_outside_in_everything_and_those_of_training_nowhere() -> None:
    inside, outside = (np.array([away(seed, name) for seed in range(200)]) for name in ("training", "outside"))

    assert inside.max() <= 1.0001
    assert (inside.max(axis=0) > 0.9).all()
    assert outside.min() >= 1.2999
    assert outside.max() <= 2.0001


def test_a_slide_keeps_its_stains() -> None:
    assert stains(7, "training") == stains(7, "training") != stains(8, "training")


def test_bare_glass_is_never_overexposed() -> None:
    lamps = np.array([stains(seed, name).lamp for seed in range(200) for name in ("training", "outside")])

    assert lamps.max() <= 253
    assert lamps.min() > 190


@pytest.mark.slow
def test_stains_change_the_colour_more_than_a_lesion_does() -> None:
    def colour(seed: int, name: str) -> np.ndarray:
        slide = lesion_slide((400, 400), 2.0, seed, slide_class=name)
        return np.asarray(slide.draw((100, 100, 200, 200)).mean(axis=(0, 1)))

    colours = np.array([[colour(seed, name) for name in ("normal", "solid", "cribriform")] for seed in range(6)])

    by_slide = np.linalg.norm(colours[:, 0].std(axis=0))
    by_lesion = np.linalg.norm((colours[:, 1:] - colours[:, :1]).mean(axis=0), axis=1)
    assert by_lesion.max() < by_slide
