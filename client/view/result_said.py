"""A result in the words of `description.json`, as far as it stays as it is."""

from collections.abc import Mapping
from typing import Any

import orjson

from histoserve.client.results.layers_json import Saved
from histoserve.client.view.layers_said import describe_layers, tree

HEAD = ("pipeline", "words", "finished")
"""What a list of results shows."""


def describe_result(said: Mapping[str, Any], saved: Saved, pipeline: str) -> dict[str, Any]:
    """`said`: all of `result.json`. Raises ValueError, TypeError or LookupError for what no page could show."""
    network, tiles = _part(said, "pipeline"), _part(said, "tiles")
    failed, models = tiles.get("failed"), network.get("models")
    finished, warnings = said.get("finished"), _part(said, "slide").get("warnings")
    described = {
        "pipeline": pipeline,
        "words": saved.words,
        "finished": finished if isinstance(finished, str) else None,
        "version": str(said.get("histoserve")),
        "network": str(network.get("network")),
        "models": [tree(each) for each in models if isinstance(each, dict)] if isinstance(models, list) else [],
        "tiles": {
            "planned": tree(tiles.get("planned")),
            "failed": len(failed) if isinstance(failed, list) else None,
        },
        "warnings": [str(each) for each in warnings] if isinstance(warnings, list) else [],
        "result": tree(_part(said, "result")),
        "layers": describe_layers(saved, pipeline),
    }
    # Letters that are none, and what is nested beyond measure, would fail each time that the page asks.
    orjson.dumps([described, said["slide"]["name"]])
    return described


def _part(said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = said.get(name)
    return part if isinstance(part, dict) else {}
