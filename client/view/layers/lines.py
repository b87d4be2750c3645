"""Smooth lines that are the same in every tile that shows a part of them.

Places are rounded on the page, not in the tile, and long lines are drawn in pieces: OpenCV cuts a line at the
picture's border first and then draws another one than in the next tile.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.view.layers.picture import MARGIN_PX, Picture

Ink = tuple[int, int, int, int] | tuple[int]
"""Of a picture, as `picture.opaque` makes it; of a mask, its value."""

FRACTION_BITS = 4
"""Lines are placed to a sixteenth of a pixel."""

WIDEST_PX = 8
PIECE_PX = (MARGIN_PX - WIDEST_PX) // 2
"""One that touches the tile lies within the margin."""

SMALL_PX = MARGIN_PX - WIDEST_PX
"""An outline of this extent that touches the tile lies within the margin too."""


def draw_outlines(
    picture: Picture, points: NDArray[np.floating], starts: NDArray[np.int64], ink: Ink, width: int
) -> None:
    """Closed ones: `points` (n, 2) in px of the page, the first one of each at `starts`."""
    if not len(starts):
        return
    ends = np.append(starts[1:], len(points))
    extent = np.maximum.reduceat(points, starts) - np.minimum.reduceat(points, starts)
    small = (extent <= SMALL_PX).all(axis=1)
    placed = _fixed(picture, points)
    closed = [placed[start:end] for start, end in zip(starts[small].tolist(), ends[small].tolist(), strict=True)]
    cv2.polylines(picture.whole, closed, True, ink, width, cv2.LINE_AA, FRACTION_BITS)
    for start, end in zip(starts[~small].tolist(), ends[~small].tolist(), strict=True):
        outline = _without_repeats(points[start:end])
        draw_lines(picture, np.stack((outline, np.roll(outline, -1, axis=0)), axis=1), ink, width)


def draw_lines(picture: Picture, lines: NDArray[np.floating], ink: Ink, width: int) -> None:
    """(n, 2 ends, 2) in px of the page."""
    pieces = _near(picture, _in_pieces(picture, _near(picture, lines)))
    if len(pieces):
        drawn = list(_fixed(picture, pieces))
        cv2.polylines(picture.whole, drawn, False, ink, width, cv2.LINE_AA, FRACTION_BITS)


def _without_repeats(outline: NDArray[np.floating]) -> NDArray[np.floating]:
    """Of points that are drawn at the same place, one after the other, only the first."""
    places = np.rint(outline * (1 << FRACTION_BITS))
    different = (places != np.roll(places, 1, axis=0)).any(axis=1)
    different[0] = True
    return outline[different]


def _fixed(picture: Picture, points: NDArray[np.floating]) -> NDArray[np.int32]:
    """As OpenCV takes them with FRACTION_BITS: its whole numbers are centres of pixels."""
    on_page = np.rint(points * (1 << FRACTION_BITS) - (1 << FRACTION_BITS) // 2)
    corner = np.array(picture.corner, on_page.dtype) * (1 << FRACTION_BITS)
    return (on_page - corner).clip(-(2**30), 2**30).astype(np.int32)


def _near(picture: Picture, lines: NDArray[np.floating]) -> NDArray[np.floating]:
    """Those that may touch the tile."""
    first = np.array(picture.tile.corner) - WIDEST_PX
    last = first + picture.tile.size + 2 * WIDEST_PX
    return lines[((lines.max(axis=1) >= first) & (lines.min(axis=1) <= last)).all(axis=1)]


def _in_pieces(picture: Picture, lines: NDArray[np.floating]) -> NDArray[np.floating]:
    """Each as equal ones, none longer than PIECE_PX; of long lines those near the tile."""
    along = lines[:, 1] - lines[:, 0]
    count = np.maximum(1, np.ceil(np.hypot(*along.T) / PIECE_PX))
    begin, end = _shares_near(picture, lines[:, 0], along)
    first = np.floor(begin * count).astype(np.int64)
    pieces = np.maximum(0, np.ceil(end * count).astype(np.int64) - first)
    line = np.repeat(np.arange(len(lines)), pieces)
    piece = np.arange(len(line)) - np.repeat(np.cumsum(pieces) - pieces, pieces) + first[line]
    shares = np.stack((piece, piece + 1), axis=1) / count[line][:, None]
    return lines[line, None, 0] + along[line, None] * shares[..., None]


def _shares_near(
    picture: Picture, starts: NDArray[np.floating], along: NDArray[np.floating]
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """From which to which share (0-1) of their length lines may touch the tile."""
    first = np.array(picture.tile.corner) - WIDEST_PX
    last = first + picture.tile.size + 2 * WIDEST_PX
    moving = np.where(along == 0, 1, along)
    shares = np.sort(np.stack(((first - starts) / moving, (last - starts) / moving)), axis=0)
    # A line along an axis is within the other one's limits, or it would not be near.
    shares[:, along == 0] = np.array([[0], [1]])
    return shares[0].max(axis=1).clip(0, 1), shares[1].min(axis=1).clip(0, 1)
