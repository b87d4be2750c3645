"""A matrix as movements, and back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoserve.client.registration.affine import IDENTITY, after, applied, fitted, inverse, moving, scaling
from histoserve.client.registration.movement import Movement, movement_of

MOVEMENTS = st.builds(
    Movement,
    centre=st.tuples(st.floats(-5e4, 5e4), st.floats(-5e4, 5e4)),
    translation=st.tuples(st.floats(-5e4, 5e4), st.floats(-5e4, 5e4)),
    rotation_degrees=st.floats(-179.9, 180),
    scale=st.floats(0.2, 5),
    mirrored=st.booleans(),
    stretch=st.floats(1.001, 2),
    stretch_degrees=st.floats(0, 179.9),
)


@settings(deadline=None)
@given(MOVEMENTS)
def test_what_a_matrix_is_told_as_makes_it_again(wanted: Movement) -> None:
    found = movement_of(wanted.matrix, wanted.centre)
    np.testing.assert_allclose(found.matrix, wanted.matrix, atol=1e-6)
    assert (found.mirrored, found.scale, found.stretch) == (
        wanted.mirrored,
        pytest.approx(wanted.scale),
        pytest.approx(wanted.stretch),
    )


def test_a_quarter_turn_and_a_mirroring_by_hand() -> None:
    # x → y, y → −x about (10, 10), then 5 to the right: clockwise as seen.
    turned = movement_of(np.array([[0.0, -1, 25], [1, 0, 0]]), (10.0, 10.0))
    assert (turned.rotation_degrees, turned.translation, turned.scale) == (90, (5, 0), 1)
    mirrored = movement_of(np.array([[-2.0, 0, 100], [0, 2, 0]]), (0.0, 0.0))
    assert (mirrored.mirrored, mirrored.rotation_degrees, mirrored.scale, mirrored.stretch) == (True, 0, 2, 1)


def test_maps_there_and_back_and_one_after_the_other() -> None:
    matrix = np.array([[1.1, 0.4, 30], [-0.3, 0.9, -7]])
    np.testing.assert_allclose(after(inverse(matrix), matrix), IDENTITY, atol=1e-12)
    np.testing.assert_allclose(after(matrix, inverse(matrix)), IDENTITY, atol=1e-12)
    assert applied(after(scaling(2), moving((1, 2))), [(3, 4)]).tolist() == [[8, 12]]


def test_the_best_matrix_of_places_is_the_one_they_were_moved_by() -> None:
    matrix, places = np.array([[1.1, 0.4, 30], [-0.3, 0.9, -7]]), np.array([(0, 0), (100, 0), (0, 50), (80, 90.0)])
    np.testing.assert_allclose(fitted(places, applied(matrix, places)), matrix, atol=1e-9)
    with pytest.raises(ValueError, match="three places off one line"):
        fitted(places[:2], places[:2])
