"""Which pixel belongs to which outline."""

import numpy as np

from histoserve.phantom.he.raster import paste

DIAMOND = np.array([[4.0, 0.0], [8.0, 4.0], [4.0, 8.0], [0.0, 4.0]])


def test_a_diamond_is_filled_by_pixel_centres() -> None:
    depth, number = paste(DIAMOND[None] + (0.3, -0.1), np.array([[4.3, 3.9]]), (0, 0, 8, 4), 1.0)

    picture = ["".join(".#"[int(d > 0)] for d in row) for row in depth]

    assert picture == ["....#...", "...###..", "..#####.", ".#######"]
    assert set(number[depth > 0]) == {1}


def test_depth_is_the_distance_from_the_outline() -> None:
    depth, _ = paste(DIAMOND[None], np.array([[4.0, 4.0]]), (3, 3, 2, 2), 1.0)

    assert np.allclose(depth, 3 / np.sqrt(2))


def test_a_frame_cuts_the_same_pixels_out() -> None:
    outlines = np.stack([np.add(DIAMOND, (3, 2)), DIAMOND * (0.5, 1.25) + (12, 3)])
    centres = np.array([[7.0, 6.0], [14.0, 8.0]])
    whole = paste(outlines, centres, (0, 0, 24, 20), 1.0)

    part = paste(outlines, centres, (6, 5, 9, 7), 1.0)

    assert all(np.array_equal(a, b[5:12, 6:15]) for a, b in zip(part, whole, strict=True))


def test_nothing_is_pasted_where_there_is_no_outline() -> None:
    depth, number = paste(np.zeros((0, 24, 2)), np.zeros((0, 2)), (0, 0, 5, 4), 1.5)

    assert np.array_equal(depth, np.full((4, 5), -1.5))
    assert not number.any()
