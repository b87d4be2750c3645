"""What of a result is a tile's reading."""

from collections.abc import Mapping
from typing import Any

from histoserve.client.tile_reading import Reading


def reading_of(result: Mapping[str, Any]) -> Reading:
    """`result` as `Rows.result` gives it."""
    return Reading(result["positive"], result["negative"], result["region_mm2"])
