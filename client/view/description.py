"""`description.json`: all that the page of a slide knows of it."""

from typing import Any

from histoserve.client.view.anonymous import Names
from histoserve.client.view.open_slides import OpenSlide
from histoserve.client.view.opened import OpenedLayers
from histoserve.client.view.problem import Problem
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


def _result(result: Result, layers: OpenedLayers) -> dict[str, Any]:
    opening = {"ready": layers.ready, "share": layers.share, "doing": layers.doing}
    return {**result.described, **opening, **({"layers": []} if layers.problem else {})}


def _of_layers(opened: OpenSlide) -> list[Problem]:
    return [each.problem.of(number) for number, each in enumerate(opened.layers) if each.problem]
