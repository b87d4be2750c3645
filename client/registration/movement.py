"""A matrix as what a hand would do: mirror, stretch, scale, turn about a centre, move (CN114387243A [0111])."""

from dataclasses import dataclass

import numpy as np

from histoserve.client.registration.affine import Matrix, applied

MIRROR = np.diag([-1.0, 1.0])
"""Left and right change places."""


@dataclass(frozen=True)
class Movement:
    """In this order, all but the last about the centre: mirrored, stretched, scaled, turned, moved."""

    centre: tuple[float, float]
    translation: tuple[float, float]
    rotation_degrees: float
    """Clockwise as seen, y being down; −180 < … ≤ 180."""
    scale: float
    mirrored: bool
    stretch: float
    """Length along the axis over that across it, areas being as they were; at least 1."""
    stretch_degrees: float
    """Of the axis, clockwise from x; 0 ≤ … < 180, and 0 where nothing is stretched."""

    @property
    def matrix(self) -> Matrix:
        """All of it again."""
        angle, along = np.deg2rad(self.rotation_degrees), _turn(np.deg2rad(self.stretch_degrees))
        root = np.sqrt(self.stretch)
        turn = _turn(angle) @ along @ np.diag([root, 1 / root]) @ along.T * self.scale
        turn = turn @ MIRROR if self.mirrored else turn
        centre = np.array(self.centre)
        return np.column_stack([turn, centre + np.array(self.translation) - turn @ centre])


def movement_of(matrix: Matrix, centre: tuple[float, float]) -> Movement:
    """The one way to do it about this centre."""
    mirrored = bool(np.linalg.det(matrix[:, :2]) < 0)
    turn = matrix[:, :2] @ MIRROR if mirrored else matrix[:, :2]
    left, lengths, right = np.linalg.svd(turn)
    rotation = left @ right
    stretch = float(lengths[0] / lengths[1])
    axis = float(np.rad2deg(np.arctan2(right[0, 1], right[0, 0]))) % 180 if stretch > 1 + 1e-9 else 0.0
    x, y = (applied(matrix, [centre])[0] - np.array(centre)).tolist()
    degrees = float(np.rad2deg(np.arctan2(rotation[1, 0], rotation[0, 0])))
    return Movement(centre, (x, y), degrees, float(np.sqrt(lengths.prod())), mirrored, stretch, axis)


def _turn(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
