"""What readings show: a heat map a marker, on one scale, its highest tiles, and the first of these side by side."""

from collections.abc import Iterator, Sequence

import numpy as np

from histoserve.client.pipelines.biomarker.readings import Readings, Rule
from histoserve.client.results.layers import Card, Cards, Class, Grid, Layer, Shape, Shapes, outline_of
from histoserve.client.results.palette import colour_of

CARDS = 10
"""Of each marker's highest tiles."""

DIGITS = 6


def layers_of(readings: Readings | None, rule: Rule, said: Sequence[str]) -> list[Layer]:
    """`said`: of each marker, its reading in words; without readings, the sentence that there are none."""
    classes = [
        Class(f"highest for {name}", colour_of(number), len(readings.top[number]) if readings else 0)
        for number, name in enumerate(rule.markers)
    ]
    if readings is None or not readings.with_tumour:
        why = "Nothing on the slide was analysed" if readings is None else f"No tumour is seen in {_tiles(readings)}"
        return [Cards("tiles", f"{why}, so it has no reading: that is not 0.", classes, [])]
    grids: list[Layer] = [
        Grid(name, readings.raster(number), readings.l0_first, (0, 1), "%", of=number, said=said[number])
        for number, name in enumerate(rule.markers)
    ]
    shapes = list(_shapes(readings, rule, classes))
    cards = list(_cards(readings, rule, classes))
    return [*grids, Shapes(classes, lambda: iter(shapes)), Cards("tiles", _sentence(readings, rule), classes, cards)]


def _shapes(readings: Readings, rule: Rule, classes: Sequence[Class]) -> Iterator[Shape]:
    for marker, rank, row in _ranked(readings, rule):
        outline = outline_of(readings.l0_regions[row])
        yield Shape(outline, marker, _measured(readings, marker, row), f"{classes[marker].name}: {rank + 1}")


def _cards(readings: Readings, rule: Rule, classes: Sequence[Class]) -> Iterator[Card]:
    for marker, rank, row in _ranked(readings, rule):
        number = readings.number(marker, rank, CARDS)
        if number is not None:
            measured = _measured(readings, marker, row)
            yield Card(readings.l0_regions[row], number, marker, classes[marker].name, measured)


def _ranked(readings: Readings, rule: Rule) -> Iterator[tuple[int, int, int]]:
    """Marker, rank and row of each of the highest tiles."""
    for marker in range(len(rule.markers)):
        for rank, row in enumerate(readings.top[marker].tolist()):
            yield marker, rank, row


def _measured(readings: Readings, marker: int, row: int) -> dict[str, float]:
    return {"Reading": round(float(np.float64(readings.tiles[row, marker])), DIGITS)}


def _tiles(readings: Readings) -> str:
    return "its only tile" if len(readings.tiles) == 1 else f"any of its {len(readings.tiles)} tiles"


def _sentence(readings: Readings, rule: Rule) -> str:
    tiles, outlined = readings.with_tumour, len(readings.top[0])
    used, shows = rule.used(tiles), " that show tumour" if tiles < len(readings.tiles) else ""
    of = f"all its {tiles} tiles{shows}" if used == tiles else f"its {used} highest tiles"
    if tiles == 1:
        of = "its only tile that shows tumour" if shows else "its only tile"
    which = "tile that is" if outlined == 1 else f"{outlined} tiles that are"
    few = "" if outlined <= CARDS else f"; the first {CARDS} are numbered"
    return (
        f"Read from the picture of the {rule.stain} stain by networks; no marker was stained. Each reading is the "
        f"slide's, the mean of {of}. Outlined for each marker: the {which} highest{few}."
    )
