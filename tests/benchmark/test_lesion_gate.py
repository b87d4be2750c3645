"""The gate's parts, and a small run of it."""

import numpy as np
import pytest

from histoserve.benchmark.lesion_gate.bench import gate
from histoserve.benchmark.lesion_gate.classify import balanced_accuracy, fit
from histoserve.benchmark.lesion_gate.tiles import tiles


def test_every_class_counts_alike() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 2])

    assert balanced_accuracy(np.zeros(7, int), labels) == pytest.approx(1 / 3)


def test_what_is_apart_is_told_apart_and_what_is_not_is_not() -> None:
    random = np.random.default_rng(0)
    labels = np.arange(300) % 3
    noise = random.normal(size=(300, 20))
    apart = noise + 4 * np.eye(20)[labels]

    assert balanced_accuracy(fit(apart[:150], labels[:150], 3).predict(apart[150:]), labels[150:]) > 0.95
    assert balanced_accuracy(fit(noise[:150], labels[:150], 3).predict(noise[150:]), labels[150:]) < 0.5


@pytest.mark.slow
def test_a_few_tiles_already_tell_true_nuclei_from_textures() -> None:
    of_picture, of_nuclei = gate(list(tiles(0, 24)), list(tiles(10**6, 12)))

    assert of_nuclei.accuracy > 0.85
    assert of_picture.accuracy > 0.4
    assert of_nuclei.accuracy >= of_picture.accuracy
