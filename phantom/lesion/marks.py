"""Lines across a slide: a fold of the tissue, and a stroke of a pen on the glass."""

from dataclasses import dataclass

import numpy as np

from histoserve.phantom.he.ground import Plane
from histoserve.phantom.noise import Floats, spline

_INKS = ((0.30, 0.62, 0.42), (0.25, 0.38, 0.80), (0.22, 0.22, 0.26))
"""What green, blue and black ink lets through of R, G and B."""

_CHANNEL, _BEND = 1600, 1610


@dataclass(frozen=True)
class Line:
    """A bent line, µm."""

    seed: int
    x: float
    """Its middle."""
    y: float
    angle: float
    half_length: float
    half_width: float
    bend: float

    def cover(self, x: Floats, y: Floats) -> Plane:
        """0 beside it to 1 on it, at every crossing of the columns x and the rows y (µm): (h, w)."""
        c, s = np.cos(self.angle), np.sin(self.angle)
        dx, dy = (x - self.x).astype(np.float32)[None, :], (y - self.y).astype(np.float32)[:, None]
        along, across = np.float32(c) * dx + np.float32(s) * dy, np.float32(c) * dy - np.float32(s) * dx
        across += np.float32(self.bend) * spline(self.seed, _BEND, 6 * self.bend, x, y)
        # It thins towards its ends.
        wide = self.half_width * np.sqrt(np.maximum(1 - (along / np.float32(self.half_length)) ** 2, 0))
        inside = wide - abs(across)
        return np.asarray(np.clip(inside / 4, 0, 1), np.float32)

    def is_near(self, x: Floats, y: Floats) -> bool:
        """False only where none of it lies between the ends of x and y."""
        reach = self.half_length + self.half_width + 3 * self.bend
        away = [max(float(axis[0]) - at, at - float(axis[-1])) for axis, at in ((x, self.x), (y, self.y))]
        return max(away) <= reach


def fold(seed: int, size_um: tuple[float, float]) -> tuple[Line, float]:
    """The slide's fold, and how far the layer of tissue that lies over the other was pulled, µm."""
    random = np.random.default_rng((seed, _CHANNEL))
    return _line(random, seed, size_um, (14, 45), (250, 900)), float(random.uniform(25, 60))


def stroke(seed: int, size_um: tuple[float, float]) -> tuple[Line, np.ndarray]:
    """The slide's stroke of a pen, and what it lets through of R, G and B, 0-1 (3,)."""
    random = np.random.default_rng((seed, _CHANNEL + 1))
    line = _line(random, seed, size_um, (40, 130), (300, 1200))
    ink = np.array(_INKS[random.integers(len(_INKS))])
    return line, ink + (1 - ink) * random.uniform(0.1, 0.5)


def _line(
    random: np.random.Generator,
    seed: int,
    size_um: tuple[float, float],
    half_widths: tuple[float, float],
    half_lengths: tuple[float, float],
) -> Line:
    x, y = random.uniform(0.15, 0.85, 2) * size_um
    # On a small slide a line must leave most of the tissue as it is.
    small = min(1.0, min(size_um) / 2000)
    half_width, half_length = random.uniform(*half_widths) * small, random.uniform(*half_lengths) * small
    return Line(seed, float(x), float(y), float(random.uniform(0, np.pi)), half_length, half_width, 30.0)
