"""The border of squares on a raster, as polygons that are valid whatever touches whatever.

Squares that share a side are one part, squares that share a corner alone are two. So each part's inside is of one
piece, and its border falls into one outline and holes, none of which meets itself:

    ##.      ###
    ..#      #.#      two parts, and one with a hole, though its outline and its hole share a corner
             ##.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

Corner = tuple[int, int]
"""Column, row: the upper left one of the square with these numbers."""

SIDES = (
    ((0, -1), (0, 0), (1, 0)),
    ((1, 0), (1, 0), (1, 1)),
    ((0, 1), (1, 1), (0, 1)),
    ((-1, 0), (0, 1), (0, 0)),
)
"""Neighbour beyond it, first and last corner, all seen from the square and clockwise; each as column, row."""


def parts_of(squares: NDArray[np.bool_]) -> list[list[NDArray[np.int64]]]:
    """The outline of each part, clockwise, and then its holes.

    `squares` (rows, columns), not empty. Rings are corners (vertices, 2): column, row.
    """
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(squares.astype(np.uint8), connectivity=4)
    parts = []
    # The first one is what is no part.
    for number, (left, top, width, height, _) in enumerate(boxes.tolist()[1:], 1):
        part = labels[top : top + height, left : left + width] == number
        parts.append([np.add(ring, (left, top)) for ring in _part(part)])
    return parts


def _part(squares: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """The outline is the only loop that runs clockwise."""
    return sorted((_turns(loop) for loop in _loops(_steps(squares))), key=_area, reverse=True)


def _steps(squares: NDArray[np.bool_]) -> dict[Corner, list[Corner]]:
    """Along every side without a neighbour, the inside on the right: from each corner to the next ones."""
    padded = np.pad(squares, 1)
    steps: dict[Corner, list[Corner]] = {}
    for (across, down), first, last in SIDES:
        beyond = np.roll(padded, (-down, -across), (0, 1))[1:-1, 1:-1]
        for row, column in np.argwhere(squares & ~beyond).tolist():
            steps.setdefault((column + first[0], row + first[1]), []).append((column + last[0], row + last[1]))
    return steps


def _loops(steps: dict[Corner, list[Corner]]) -> Iterator[list[Corner]]:
    """Uses up all steps; wherever a way comes to a corner for the second time, what lies between is a loop of its own.

    At a corner with two ways on, both turn, so that no two loops cross whichever is taken.
    """
    for start in list(steps):
        way, place = [start], {start: 0}
        while steps[way[-1]]:
            corner = steps[way[-1]].pop()
            if corner not in place:
                place[corner] = len(way)
                way.append(corner)
                continue
            loop = way[place[corner] :]
            yield loop
            del way[place[corner] + 1 :]
            for left in loop[1:]:
                del place[left]


def _turns(loop: list[Corner]) -> NDArray[np.int64]:
    """Without the corners that it passes straight."""
    corners = np.array(loop, np.int64)
    before, after = corners - np.roll(corners, 1, 0), np.roll(corners, -1, 0) - corners
    return corners[(before != after).any(axis=1)]


def _area(ring: NDArray[np.int64]) -> int:
    """Twice that; negative for a hole, which runs the other way."""
    (x, y), (next_x, next_y) = ring.T, np.roll(ring, -1, 0).T
    return int((x * next_y - next_x * y).sum())
