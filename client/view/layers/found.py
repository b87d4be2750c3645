"""What a click finds."""

from collections.abc import Mapping
from typing import NamedTuple


class Found(NamedTuple):
    """One thing at a place."""

    name: str
    """Of its own, or of its class or layer."""
    numbers: Mapping[str, float]
    l0_outline: list[list[float]]
    """[[x, y], …]; empty where it has none."""
