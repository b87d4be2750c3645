"""A small run of the gate."""

import pytest

from histoserve.benchmark.lesion_gate.bench import gate
from histoserve.benchmark.lesion_gate.tiles import tiles


@pytest.mark.slow
def test_a_few_tiles_already_tell_true_nuclei_from_textures() -> None:
    of_picture, of_nuclei = gate(list(tiles(0, 16)), list(tiles(10**6, 8)))

    assert of_nuclei.accuracy > 0.85
    assert of_picture.accuracy > 0.4
    assert of_nuclei.accuracy >= of_picture.accuracy
