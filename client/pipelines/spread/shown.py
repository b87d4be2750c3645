"""What a reading shows: the values, where each falls to, the main direction, and outlines of the extent."""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.pipelines.spread.reading import Reading
from histoserve.client.results.layers import Arrows, Class, Colour, Grid, Layer, Shape, Shapes
from histoserve.client.results.outline import parts_of
from histoserve.client.results.palette import colour_of

FALL_COLOUR: Colour = (255, 255, 255)
MAIN_COLOUR: Colour = (235, 100, 0)

LEAST_FALL = 0.02
"""Of the value from a region to the next; a smaller fall is the network's noise, and arrows of it would hide others."""

LONGEST = 0.8
"""Of a region's side: the arrow of the steepest fall; neighbours' arrows do not touch."""


def layers_of(reading: Reading, lesion: float, reached: float) -> list[Layer]:
    """Heat map, outlines of what was reached, of what is lesion and of the primary, then arrows, the main one last."""
    x, y, width, height = reading.first
    layers: list[Layer] = [
        Grid("value", reading.heatmap, (x, y, width, height), (0.0, 1.0)),
        _extent(reading, lesion, reached),
        _falls(reading),
    ]
    centre = reading.primary_centre
    if reading.main is not None and centre is not None:
        tail, head = centre[None], (centre + reading.main)[None]
        layers.append(
            Arrows("main direction", tail.astype(np.float32), head.astype(np.float32), MAIN_COLOUR, heavy=True)
        )
    return layers


def _extent(reading: Reading, lesion: float, reached: float) -> Shapes:
    masks = {
        "reached": reading.at_least(reached),
        "lesion": reading.at_least(lesion),
        "primary": reading.primary,
    }
    shapes = [shape for of, mask in enumerate(masks.values()) for shape in _parts(reading, of, mask)]
    counts = [sum(shape.of == of for shape in shapes) for of in range(len(masks))]
    classes = tuple(Class(name, colour_of(of), counts[of]) for of, name in enumerate(masks))
    return Shapes(classes, lambda: iter(shapes))


def _parts(reading: Reading, of: int, mask: NDArray[np.bool_]) -> Iterator[Shape]:
    first = np.array(reading.first)
    for part in parts_of(mask) if mask.any() else []:
        outline, *holes = ((ring * first[2:] + first[:2]).astype(np.float32) for ring in part)
        squares = [cv2.contourArea(ring.astype(np.int32)) for ring in part]
        yield Shape(outline, of, {"Regions": squares[0] - sum(squares[1:])}, l0_holes=tuple(holes))


def _falls(reading: Reading) -> Arrows:
    """About the middle of each region, the steepest LONGEST of a side."""
    fall = np.nan_to_num(reading.direction)
    steep = np.hypot(fall[..., 0], fall[..., 1])
    there = steep >= LEAST_FALL
    along = fall[there] / steep.max(initial=LEAST_FALL) * LONGEST * np.array(reading.first[2:])
    centres = reading.centres[there]
    tails, heads = centres - along / 2, centres + along / 2
    return Arrows("fall of the value", tails.astype(np.float32), heads.astype(np.float32), FALL_COLOUR)
