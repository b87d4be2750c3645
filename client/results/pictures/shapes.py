"""Shapes on a picture: outlines where they are large enough, else how much of each pixel they fill."""

from collections.abc import Iterator, Sequence
from itertools import chain, islice

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.results.layers import Colour, Shape, Shapes
from histoserve.client.results.pictures.canvas import FRACTION_BITS, Canvas, Image, fixed
from histoserve.client.results.pictures.lettering import contrast

AT_ONCE = 10_000
"""Outlines given to OpenCV together: few calls, little memory."""

SMALLEST_PX = 2.0
"""Smaller shapes are hardly more than a pixel: a line around one is all line."""

LEAST_OPACITY = 0.3
"""Of a pixel with a single small shape in it: it must be seen."""


LARGE_PX = 20.0
"""From here on there is room for a thicker line with a rim, which shows on anything."""


def draw_shapes(canvas: Canvas, shapes: Shapes) -> None:
    """Lines one pixel wide in the colour of the class, for all shapes alike, by the size that is typical of them.

    Of shapes too small for lines: their share of each pixel.
    """
    parts = _parts(shapes.each())
    first = next(parts, None)
    if first is None:
        return
    typical = _typical_px(canvas, first)
    if typical >= SMALLEST_PX:
        for part in chain([first], parts):
            _outline(canvas, shapes, part, typical >= LARGE_PX)
    else:
        filled = np.zeros((len(shapes.classes), *canvas.size), np.float32)
        for part in chain([first], parts):
            _fill(canvas, filled, part)
        _tint(canvas.image, filled, [each.colour for each in shapes.classes])


def _parts(shapes: Iterator[Shape]) -> Iterator[list[Shape]]:
    while part := list(islice(shapes, AT_ONCE)):
        yield part


def _typical_px(canvas: Canvas, part: Sequence[Shape]) -> float:
    """Median of their longer sides."""
    return float(np.median([np.ptp(shape.l0_outline, axis=0).max() for shape in part])) * canvas.scale


def _outline(canvas: Canvas, shapes: Shapes, part: Sequence[Shape], large: bool) -> None:
    for number, of in enumerate(shapes.classes):
        rings = chain.from_iterable(shape.l0_rings for shape in part if shape.of == number)
        points = [fixed(canvas.placed(ring)) for ring in rings]
        if large:
            cv2.polylines(canvas.image, points, True, contrast(of.colour), 4, cv2.LINE_AA, FRACTION_BITS)
            cv2.polylines(canvas.image, points, True, of.colour, 2, cv2.LINE_AA, FRACTION_BITS)
        else:
            # No smoothing: a smoothed line is twice as wide.
            cv2.polylines(canvas.image, points, True, of.colour, 1, cv2.LINE_8, FRACTION_BITS)


def _fill(canvas: Canvas, filled: NDArray[np.float32], part: Sequence[Shape]) -> None:
    """Adds each shape's area, in px², at its middle; so small, its first outline tells enough of it."""
    lengths = np.array([len(shape.l0_outline) for shape in part])
    starts = np.cumsum(lengths) - lengths
    points = canvas.placed(np.concatenate([shape.l0_outline for shape in part]))
    following = np.arange(1, len(points) + 1)
    following[starts + lengths - 1] = starts
    area = np.abs(np.add.reduceat(np.cross(points, points[following]), starts)) / 2
    middle = np.add.reduceat(points, starts) / lengths[:, None]
    height, width = canvas.size
    column, row = np.floor(middle).astype(int).clip(0, (width - 1, height - 1)).T
    np.add.at(filled, (np.array([shape.of for shape in part]), row, column), area)


def _tint(image: Image, filled: NDArray[np.float32], colours: Sequence[Colour]) -> None:
    """Each pixel with something in it, in the colour of the class that fills most of it."""
    share = filled.sum(axis=0)
    rows, columns = np.nonzero(share)
    opacity = share[rows, columns, None].clip(LEAST_OPACITY, 1)
    ink = np.array(colours, np.float32)[filled[:, rows, columns].argmax(axis=0)]
    image[rows, columns] = np.round(image[rows, columns] * (1 - opacity) + ink * opacity).astype(np.uint8)
