"""The real pairs, where they are: a copy moved at random is laid as well as the pair itself."""

from pathlib import Path

import numpy as np
import pytest

from histoserve.benchmark.registration.landmarks import Pair
from histoserve.benchmark.registration.real import moved, real_pairs
from histoserve.client.registration.affine import IDENTITY
from histoserve.client.registration.command import register_files

DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    if not (DATA / "registration").is_dir():
        pytest.skip(f"no real pairs in {DATA}")
    return list(real_pairs(DATA))


def test_errors_are_relative_to_the_diagonal_and_least_by_the_best_matrix(pairs: list[Pair]) -> None:
    assert [round(pair.error(IDENTITY), 4) for pair in pairs] == [0.0218, 0.057]
    assert [round(pair.error(pair.best), 4) for pair in pairs] == [0.0026, 0.0051]


def test_a_moved_copy_keeps_its_landmarks_where_they_were(pairs: list[Pair], tmp_path: Path) -> None:
    copy = moved(pairs[0], 3, tmp_path)
    assert copy.error(copy.best) == pytest.approx(pairs[0].error(pairs[0].best), rel=0.1)
    assert not np.allclose(copy.ihc_points, pairs[0].ihc_points, atol=50)


@pytest.mark.slow
def test_real_pairs_are_laid_nearly_as_well_as_any_matrix_can(pairs: list[Pair], tmp_path: Path) -> None:
    for pair in (pairs[0], moved(pairs[1], 1, tmp_path)):
        found, _ = register_files(pair.he, pair.ihc, tmp_path / pair.name, *pair.mpp)
        assert pair.error(found.matrix) < 1.2 * pair.error(pair.best)
