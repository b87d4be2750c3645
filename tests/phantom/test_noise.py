"""Noise that depends on the place alone."""

import numpy as np
import pytest

from histoserve.phantom.noise import bilinear, hashed, spline, spline_at

X, Y = np.arange(300) * 0.37 - 20, np.arange(200) * 0.41 + 7


def test_any_part_of_the_noise_is_the_same_alone() -> None:
    whole = spline(3, 1, 5.0, X, Y)

    assert np.array_equal(spline(3, 1, 5.0, X[70:101], Y[33:34]), whole[33:34, 70:101])


def test_single_places_agree_with_the_grid() -> None:
    at_x, at_y = np.meshgrid(X, Y)

    assert spline_at(3, 1, 5.0, at_x, at_y) == pytest.approx(spline(3, 1, 5.0, X, Y), abs=1e-5)


def test_noise_is_centred_smooth_and_of_known_size() -> None:
    noise = spline(1, 2, 1.0, np.arange(0, 100, 0.25), np.arange(0, 100, 0.25))

    assert abs(noise.mean()) < 0.03
    assert 0.4 < noise.std() < 0.6
    assert abs(np.diff(noise, axis=1)).max() < 0.8  # a step is a quarter of the lattice's pitch


def test_hashed_numbers_are_spread_evenly_and_differ_by_seed() -> None:
    i, j = np.arange(100)[:, None], np.arange(-50, 50)[None, :]

    numbers = hashed(7, 0, i, j)

    assert np.histogram(numbers, 10, (0, 1))[0] == pytest.approx(np.full(10, 1000), abs=150)
    assert abs(np.corrcoef(numbers.ravel(), hashed(8, 0, i, j).ravel())[0, 1]) < 0.05


def test_bilinear_reproduces_a_plane() -> None:
    grid = (np.arange(5)[:, None] * 10 + np.arange(6)[None, :]).astype(np.float32)

    values = bilinear(grid, np.array([0.0, 1.5, 4.25]), np.array([2.5, 3.0]))

    assert values.tolist() == [[25.0, 26.5, 29.25], [30.0, 31.5, 34.25]]
