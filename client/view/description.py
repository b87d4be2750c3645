"""`description.json`: all that the page of a slide knows of it."""

from collections.abc import Mapping
from typing import Any

from histoserve.client.view.anonymous import Names
from histoserve.client.view.layers_said import tree
from histoserve.client.view.open_slides import OpenSlide
from histoserve.client.view.opened import OpenedLayers
from histoserve.client.view.result import Result
from histoserve.client.view.zoom import TILE_PX, deepest


def describe(opened: OpenSlide, names: Names) -> dict[str, Any]:
    """As it is now: `ready` and `share` of its results change while their layers are opened."""
    slide, background = opened.slide, opened.background
    said = slide.said
    described = {
        "number": slide.number,
        "width": said.l0_size[0],
        "height": said.l0_size[1],
        "mpp": said.mpp,
        "objective_power": said.objective_power or background.objective_power,
        "deepest": deepest(said.l0_size),
        "tile": TILE_PX,
        "background": background.kind,
        "notes": background.notes,
        "results": [_result(*each) for each in zip(slide.results, opened.layers, strict=True)],
        "problems": [vars(each) for each in [*slide.problems, *_of_layers(opened)]],
    }
    return {"name": names.of(slide), **names.hidden(described, slide)}


def head(result: Result) -> dict[str, Any]:
    """A result in a line."""
    finished = result.said.get("finished")
    return {
        "pipeline": result.pipeline,
        "words": result.saved.words,
        "finished": finished if isinstance(finished, str) else None,
    }


def _result(result: Result, layers: OpenedLayers) -> dict[str, Any]:
    said = result.said
    pipeline, tiles = _part(said, "pipeline"), _part(said, "tiles")
    failed, models = tiles.get("failed"), pipeline.get("models")
    warnings = _part(said, "slide").get("warnings")
    return {
        **head(result),
        "version": str(said.get("histoserve")),
        "network": str(pipeline.get("network")),
        "models": [tree(each) for each in models if isinstance(each, dict)] if isinstance(models, list) else [],
        "tiles": {
            "planned": tree(tiles.get("planned")),
            "failed": len(failed) if isinstance(failed, list) else None,
        },
        "warnings": [str(each) for each in warnings] if isinstance(warnings, list) else [],
        "result": tree(_part(said, "result")),
        "ready": layers.ready,
        "share": layers.share,
        "doing": layers.doing,
        "layers": [] if layers.problem else list(result.layers),
    }


def _part(said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = said.get(name)
    return part if isinstance(part, dict) else {}


def _of_layers(opened: OpenSlide) -> list[Any]:
    return [each.problem.of(number) for number, each in enumerate(opened.layers) if each.problem]
