"""What is a tile that can be read, and what of a result is its reading."""

from collections.abc import Mapping
from typing import Any

from histoserve.client.pipelines.ihc.stain import check_stain
from histoserve.client.tile_reading import Reading

__all__ = ["check_stain", "reading_of"]


def reading_of(result: Mapping[str, Any]) -> Reading:
    """`result` as `Rows.result` gives it."""
    return Reading(result["positive"], result["negative"], result["region_mm2"])
