"""`result.json`: what was analysed, with what, how far it came, and the result."""

import json
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

from histoserve.client.contract import Contract
from histoserve.client.resolution import Resolution
from histoserve.client.slide import Slide
from histoserve.client.stream import FailedTile
from histoserve.client.work import Work

SCHEMA = 1
"""Of `result.json`: another number whenever a reader of the one before would be misled. `schema.py` describes it."""


def describe_slide(slide: Slide, resolution: Resolution, level: int) -> dict[str, Any]:
    """The slide and how it was read; `level` is the one that was sent.

    To be called when all is read: what had to be read from another level is known only then.
    """
    width, height = slide.l0_size
    bounds, doubts = slide.bounds, [resolution.warning] if resolution.warning else []
    return {
        "name": slide.name,
        "width": width,
        "height": height,
        "mpp": resolution.mpp if resolution.known else None,
        "mpp_from": resolution.source,
        "objective_power": slide.objective_power,
        "grey": slide.grey,
        "bounds": list(bounds) if bounds else None,
        "geojson_origin": list(slide.viewer_origin),
        "level_downsamples": list(slide.downsamples),
        "level_read": level,
        "levels_not_used": slide.dropped_levels,
        "blocks_from_finer_levels": {str(each): count for each, count in sorted(slide.read_elsewhere.items())},
        "warnings": [*slide.warnings, *doubts, *slide.dropped_levels, *_read_elsewhere(slide)],
    }


def _read_elsewhere(slide: Slide) -> list[str]:
    return [
        f"Level {level} cannot be read everywhere: {count} blocks of it came from a finer level."
        for level, count in sorted(slide.read_elsewhere.items())
    ]


def describe_models(contract: Contract, triton_versions: list[str]) -> dict[str, Any]:
    """What answered; a model's sha256 is that of its graph, as its config says."""
    return {
        "name": contract.pipeline,
        "triton": triton_versions,
        "models": [
            {"name": model.name, "version": model.version, "sha256": model.graph_sha256} for model in contract.models
        ],
        "parameters": dict(sorted(contract.parameters.items())),
    }


def describe_tiles(work: Work, resumed: int, sent: int, failed: list[FailedTile]) -> dict[str, Any]:
    """How many tiles there were, were answered in an earlier run and sent in this, and each that was not analysed."""
    place = work.frame.around
    return {
        "planned": len(work.tiles),
        "resumed": resumed,
        "sent": sent,
        "failed": [
            {"index": each.tile.index, "region": list(place(each.tile.region)), "at": each.at, "reason": each.reason}
            for each in failed
        ],
    }


def client_version() -> str:
    """Of the installed distribution; a bare checkout has none."""
    try:
        return metadata.version("histoserve")
    except metadata.PackageNotFoundError:
        return "not installed"


def now() -> str:
    """As ISO 8601 in UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def write_result(path: Path, result: dict[str, Any]) -> None:
    """As JSON for people as well as programs; numbers that JSON does not know are refused with ValueError."""
    text = json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    # A file's name may hold bytes that are no text; escaped they are JSON all the same.
    path.write_text(text, encoding="utf-8", errors="backslashreplace")


def read_result(path: Path) -> dict[str, Any] | None:
    """None for what is no result of histoserve."""
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return result if isinstance(result, dict) and "histoserve" in result else None
