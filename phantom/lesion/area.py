"""Parts of a slide that cover a chosen share of its tissue: where a smooth noise is highest."""

from dataclasses import dataclass

import numpy as np

from histoserve.phantom.he.tissue import Tissue
from histoserve.phantom.noise import Floats, spline, spline_at

_NODES = 56
"""Places along the longer side at which the noise is ranked."""

_OFFSET = 1000
"""Channels below are the tissue's own."""


@dataclass(frozen=True)
class Area:
    """One such part."""

    seed: int
    channel: int
    spacing: float
    """Pitch of the noise, µm: its patches are about as wide."""
    level: float

    def depth(self, x: Floats, y: Floats) -> Floats:
        """Roughly the distance from the border, µm, positive within, at places (µm) of any shape."""
        return (spline_at(self.seed, self.channel, self.spacing, x, y) - self.level) * self.spacing

    def depth_on(self, x: Floats, y: Floats) -> Floats:
        """The same at every crossing of the columns x (W,) and the rows y (H,): (H, W)."""
        noise = spline(self.seed, self.channel, self.spacing, x, y).astype(np.float64)
        return np.asarray((noise - self.level) * self.spacing)


class Places:
    """Places all over the tissue, by which areas are measured."""

    def __init__(self, tissue: Tissue) -> None:
        self._tissue = tissue
        longer = max(tissue.size_um)
        counts = [max(2, round(_NODES * length / longer)) for length in tissue.size_um]
        axes = ((np.arange(n) + 0.5) * length / n for n, length in zip(counts, tissue.size_um, strict=True))
        x, y = np.meshgrid(*axes)
        within = tissue.inside(x, y) > 0
        self._x, self._y = x[within], y[within]

    def area(self, channel: int, share: float, spacing: float) -> Area:
        """The area of this channel that covers `share` of the tissue, in patches of `spacing` µm if there is room."""
        seed, shorter = self._tissue.seed, min(self._tissue.size_um)
        spacing = float(np.clip(spacing, 20.0, max(0.25 * shorter, 20.0)))
        noise = spline_at(seed, _OFFSET + channel, spacing, self._x, self._y)
        level = float(np.quantile(noise, 1 - share)) if len(noise) and share > 0 else np.inf
        return Area(seed, _OFFSET + channel, spacing, level)
