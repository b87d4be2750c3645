"""A result's layers in the words of `description.json`: what the page needs for its switches, legends and lists."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from histoserve.client.results.layers import Arrows, Cards, Class, Colour, Grid
from histoserve.client.results.layers_json import Saved, ShapesInFile
from histoserve.client.results.palette import colours_of

NOT_SEEN = "not-seen"
"""Id of the layer of what was not looked at, which every result has."""

SCALE = colours_of(np.linspace(0, 1, 256), (0, 1)).tolist()
"""Of all grids: the colours from one limit to the other."""

EXACT = 2**53
"""Whole numbers below it are the same as floats."""


def describe_layers(saved: Saved, pipeline: str) -> list[dict[str, Any]]:
    """In the order of the file, the one of what was not looked at last.

    Raises ValueError, TypeError or KeyError for what no page could show.
    """
    layers = [{"id": str(number), **_layer(layer, pipeline)} for number, layer in enumerate(saved.layers)]
    return [*layers, {"id": NOT_SEEN, "kind": NOT_SEEN, "title": None, "count": len(saved.background.not_seen)}]


def tree(value: Any) -> Any:
    """Numbers, words and what they are grouped by, without lists; None for all else."""
    if isinstance(value, Mapping):
        return {str(name): tree(each) for name, each in value.items() if not isinstance(each, list)}
    if isinstance(value, bool | str) or value is None:
        return value
    return _number(value) if isinstance(value, int | float) else None


def _layer(layer: ShapesInFile | Grid | Arrows | Cards, pipeline: str) -> dict[str, Any]:
    if isinstance(layer, ShapesInFile):
        return {"kind": "shapes", "title": pipeline, "classes": _classes(layer.classes)}
    if isinstance(layer, Grid):
        limits = [_finite(limit) for limit in layer.limits]
        first = [_finite(each) for each in layer.l0_first]
        size = {"rows": layer.values.shape[0], "columns": layer.values.shape[1], "first": first}
        return {"kind": "grid", "title": layer.title, "unit": layer.unit, "limits": limits, "colours": SCALE, **size}
    if isinstance(layer, Arrows):
        if not (np.isfinite(layer.l0_tails).all() and layer.l0_tails.shape == layer.l0_heads.shape):
            raise ValueError("arrows without ends")
        colour = _colour(layer.colour)
        return {
            "kind": "arrows",
            "title": layer.title,
            "colour": colour,
            "heavy": layer.heavy,
            "count": len(layer.l0_tails),
        }
    classes = _classes(layer.classes)
    cards = [
        {
            "region": _region(each.l0_region),
            "number": _finite(each.number),
            "of": range(len(classes))[int(each.of)],
            "caption": str(each.caption),
            "numbers": {str(name): _number(value) for name, value in each.numbers.items()},
        }
        for each in layer.each
    ]
    return {"kind": "cards", "title": layer.name, "said": layer.said, "classes": classes, "cards": cards}


def _classes(classes: Sequence[Class]) -> list[dict[str, Any]]:
    return [{"name": str(each.name), "colour": _colour(each.colour), "count": int(each.count)} for each in classes]


def _colour(colour: Colour) -> list[int]:
    if len(colour) != 3 or not all(isinstance(each, int) and 0 <= each <= 255 for each in colour):
        raise ValueError(f"the colour {colour!r:.40}")
    return list(colour)


def _region(l0_region: np.typing.NDArray[np.float32]) -> list[float]:
    if l0_region.shape != (4,):
        raise ValueError("a region of other than four numbers")
    # As text a float32 has its own few digits.
    return [_finite(float(str(each))) for each in l0_region]


def _finite(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r:.40} where a number should be")
    return value


def _number(value: Any) -> float | None:
    if not isinstance(value, int | float) or not math.isfinite(value):
        return None
    # A browser's numbers are floats all the same.
    return value if abs(value) < EXACT else float(value)
