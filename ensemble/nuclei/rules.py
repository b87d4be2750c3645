"""What counts as nucleus, edge, marker and wrong split: the numbers of the two-step watershed."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Rules:
    """Thresholds are in 0-1 of a byte's range (0.5 is 127.5), sizes in pixels of the network's tile."""

    foreground_threshold: float
    """A pixel is nucleus from here on."""
    edge_threshold: float
    """A nucleus pixel belongs to a marker below this edge strength."""
    merge_threshold: float
    """Touching instances of one type are one object if the mean edge strength along their border is below this."""
    split_ratio: float
    """A merged object's markers are where its distance to the outside is at least this part of its maximum."""
    opening_px: int
    """Radius of the disc that a marker consists of: narrower gaps in the edges do not join markers."""
    min_area_px: int
    """Smaller components of the nucleus mask are dropped."""
    min_marker_px: int
    """Smaller markers are no markers."""
    max_hole_px: int
    """Enclosed holes of the nucleus mask up to this size are filled."""

    def __post_init__(self) -> None:
        for name in ("foreground_threshold", "edge_threshold", "merge_threshold", "split_ratio"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be in 0-1, got {getattr(self, name)}: correct the model's config")
        for name in ("opening_px", "min_area_px", "min_marker_px", "max_hole_px"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}: correct the model's config")

    @property
    def foreground_level(self) -> int:
        """The lowest byte that is nucleus."""
        return math.ceil(self.foreground_threshold * 255)

    @property
    def edge_level(self) -> int:
        """The lowest byte that is no marker."""
        return math.ceil(self.edge_threshold * 255)
