"""How a section came to lie on its glass: turned, mirrored, scaled and stretched by a matrix, and bent smoothly."""

from dataclasses import dataclass

import numpy as np

from histoserve.phantom.noise import Floats, spline_at

_BEND = 2070
_ROUNDS = 12
"""Of the search for the slide's place of a tissue's place: each makes the error ten times smaller or better."""


@dataclass(frozen=True)
class Placement:
    """From places of the tissue to places of the slide and back; all µm."""

    seed: int
    matrix: Floats
    """(2, 3): what a place that was not bent is multiplied with."""
    bend: float = 0.0
    """The farthest that a place is off, in the tissue's µm."""
    pitch: float = 1500.0
    """Of the bends."""

    @property
    def mirrored(self) -> bool:
        return bool(np.linalg.det(self.matrix[:, :2]) < 0)

    def to_tissue(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """What of the tissue lies at places of the slide, of any shape."""
        back = np.linalg.inv(self.matrix[:, :2])
        x, y = x - self.matrix[0, 2], y - self.matrix[1, 2]
        x, y = back[0, 0] * x + back[0, 1] * y, back[1, 0] * x + back[1, 1] * y
        dx, dy = self._off(x, y)
        return np.asarray(x + dx), np.asarray(y + dy)

    def to_slide(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Where on the slide places of the tissue lie, of any shape; of two sections the true correspondence."""
        at_x, at_y = x, y
        for _ in range(_ROUNDS if self.bend else 0):
            dx, dy = self._off(at_x, at_y)
            at_x, at_y = x - dx, y - dy
        (a, b, c), (d, e, f) = self.matrix
        return np.asarray(a * at_x + b * at_y + c), np.asarray(d * at_x + e * at_y + f)

    def _off(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        if not self.bend:
            return np.zeros(1), np.zeros(1)
        dx, dy = (1.5 * spline_at(self.seed, _BEND + axis, self.pitch, x, y) for axis in (0, 1))
        most = self.bend / np.sqrt(1 + dx * dx + dy * dy)
        return most * dx, most * dy


STILL = Placement(0, np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))
"""The section is the frame of the tissue's places."""
