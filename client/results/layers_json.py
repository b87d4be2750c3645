"""`layers.json`: the layers as the page of `histoserve view` takes them, without the shapes, which the GeoJSON holds.

Places are level-0 px of the whole slide.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from histoserve.client.grid import Rectangle
from histoserve.client.results.layers import Arrows, Card, Cards, Class, Grid, Layer, Shapes

LAYERS = "layers.json"

SCHEMA = 1
"""Another number whenever a reader of the one before would be misled."""

DECIMALS = 2
"""Of places, as in the GeoJSON."""


@dataclass(frozen=True)
class Background:
    """What lies below the layers."""

    overview: Rectangle
    """The part of overview.png that shows the slide, in its px."""
    seen: Sequence[Rectangle]
    """What was analysed, in level-0 px; all else was not looked at."""
    not_seen: Sequence[Rectangle]
    """What should have been and could not be."""


@dataclass(frozen=True)
class ShapesInFile:
    """Shapes that stand in the GeoJSON."""

    classes: Sequence[Class]
    features: int
    """How many features of the file are this layer's; those of the layers before stand before them."""


@dataclass(frozen=True)
class Saved:
    """What the file holds."""

    words: str
    """The result in a few words."""
    layers: Sequence[ShapesInFile | Grid | Arrows | Cards]
    background: Background


def write_layers(
    path: Path, words: str, layers: Iterable[Layer], features: Sequence[int], background: Background
) -> None:
    """`features`: of each layer, how many the GeoJSON has; raises OSError."""
    described = [{**_of(layer), "features": count} for layer, count in zip(layers, features, strict=True)]
    parts = {
        "schema": [_text(SCHEMA)],
        "words": [_text(words)],
        "overview": [_text(background.overview)],
        "seen": _texts(background.seen),
        "not_seen": _texts(background.not_seen),
        "layers": [_text(described)],
    }
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for number, (name, texts) in enumerate(parts.items()):
            file.write(f'{"," if number else "{"}"{name}":')
            file.writelines(texts)
        file.write("}\n")


def read_layers(path: Path) -> Saved:
    """Raises OSError, and ValueError for what is no such file or of another version."""
    try:
        content = json.loads(path.read_text("utf-8"))
        if content["schema"] != SCHEMA:
            raise ValueError(f"it has version {content['schema']}, this histoserve reads {SCHEMA}")
        background = Background(*(content[name] for name in ("overview", "seen", "not_seen")))
        return Saved(str(content["words"]), [_layer(each) for each in content["layers"]], background)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{path.name} is not what histoserve writes: {error!s}") from error


def _text(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _texts(rectangles: Iterable[Rectangle]) -> Iterator[str]:
    """Of their list, one after the other: a slide's million tiles are never one text in memory."""
    yield "["
    for number, each in enumerate(rectangles):
        yield f"{',' if number else ''}{_text(each)}"
    yield "]"


def _of(layer: Layer) -> dict[str, Any]:
    if isinstance(layer, Shapes):
        return {"kind": "shapes", "classes": _classes(layer.classes)}
    if isinstance(layer, Grid):
        values = np.where(np.isfinite(layer.values), layer.values.astype(np.float64).round(6), None)  # type: ignore[call-overload]
        first, limits = list(layer.l0_first), list(layer.limits)
        more = {"turned": layer.turned, "of": layer.of, "said": layer.said}
        usual = {"turned": 0.0, "of": None, "said": ""}
        unusual = {name: value for name, value in more.items() if value != usual[name]}
        described = {"kind": "grid", "title": layer.title, "unit": layer.unit, "first": first, "limits": limits}
        return {**described, **unusual, "values": values.tolist()}
    if isinstance(layer, Arrows):
        ends = {"tails": _places(layer.l0_tails), "heads": _places(layer.l0_heads)}
        return {"kind": "arrows", "title": layer.title, "colour": layer.colour, "heavy": layer.heavy, **ends}
    return {
        "kind": "cards",
        "name": layer.name,
        "said": layer.said,
        "classes": _classes(layer.classes),
        "cards": [_of_card(card) for card in layer.each],
    }


def _of_card(card: Card) -> dict[str, Any]:
    return {
        "region": _places(card.l0_region),
        "number": card.number,
        "of": card.of,
        "caption": card.caption,
        "numbers": dict(card.numbers),
    }


def _layer(described: Mapping[str, Any]) -> ShapesInFile | Grid | Arrows | Cards:
    kind = described["kind"]
    if kind == "shapes":
        return ShapesInFile(_read_classes(described), int(described["features"]))
    if kind == "grid":
        values = np.array(described["values"], np.float32).reshape(
            len(described["values"]), -1 if described["values"] else 0
        )
        x, y, width, height = described["first"]
        low, high = described["limits"]
        placed = (x, y, width, height), (low, high), described["unit"], float(described.get("turned", 0))
        of, said = described.get("of"), str(described.get("said", ""))
        return Grid(described["title"], values, *placed, None if of is None else int(of), said)
    if kind == "arrows":
        tails, heads = (np.array(described[name], np.float32).reshape(-1, 2) for name in ("tails", "heads"))
        red, green, blue = described["colour"]
        return Arrows(described["title"], tails, heads, (red, green, blue), bool(described["heavy"]))
    if kind == "cards":
        cards = [
            Card(np.array(each["region"], np.float32), each["number"], each["of"], each["caption"], each["numbers"])
            for each in described["cards"]
        ]
        return Cards(described["name"], described["said"], _read_classes(described), cards)
    raise ValueError(f"a layer of the kind {kind!r}")


def _classes(classes: Sequence[Class]) -> list[dict[str, Any]]:
    return [asdict(each) for each in classes]


def _read_classes(described: Mapping[str, Any]) -> list[Class]:
    return [Class(each["name"], tuple(each["colour"]), each["count"]) for each in described["classes"]]  # type: ignore[arg-type]


def _places(l0_points: np.typing.NDArray[np.floating]) -> list[Any]:
    return (np.round(l0_points.astype(np.float64), DECIMALS) + 0.0).tolist()
