"""Which pictures make up a window, and where in it they lie: numbers, no pixels.

    WINDOW ─┬─ is the REGION of a picture ─▶ that picture alone
            ╰─ otherwise ─▶ Mosaic: all pictures that lie in it, at whole pixels of their one scale

Nothing here depends on the order of pictures or windows, nor on which other windows a request has. `l0_` marks level-0
pixels of the slide, `w_` pixels of a window at the scale of its pictures.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TOLERANCE = 0.01
"""Of a length, or one pixel of a picture: clients and scanners round to whole pixels of a level."""
PHYSICAL_TOLERANCE = 0.02
"""Of a window's side, or half a level-0 pixel, to which a client rounds it."""
OFF_GRID = 0.3
"""Of a pixel: what rounding to whole level-0 pixels does on a level half as fine (0.25), and float32."""
LAST_BITS = 1e-6

FEW = 64
"""Pictures in a window whose pairs are quicker looked at than their pixels."""


@dataclass(frozen=True)
class Pictures:
    """Those near one window."""

    tile: NDArray[np.intp]
    """(k,), their places in the request."""
    regions: NDArray[np.float64]
    """(k, 4)."""
    sizes: NDArray[np.int64]
    """(k, 2), width and height in their own pixels."""


@dataclass(frozen=True)
class Piece:
    """A picture in a window."""

    tile: int
    """Its place in the request."""
    w_x: int
    """Where its left border lies, below 0 where it begins outside of the window."""
    w_y: int
    w_width: int
    w_height: int

    def inside(self, w_width: int, w_height: int) -> tuple[slice, slice]:
        """Rows and columns of a window of this size that it covers, empty for none."""
        left, top = max(0, self.w_x), max(0, self.w_y)
        right, bottom = min(w_width, self.w_x + self.w_width), min(w_height, self.w_y + self.w_height)
        return slice(top, max(top, bottom)), slice(left, max(left, right))

    def shown(self, mosaic: "Mosaic", picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The part of the picture (H, W, 3) that lies in the window."""
        rows, columns = self.inside(mosaic.w_width, mosaic.w_height)
        return picture[rows.start - self.w_y : rows.stop - self.w_y, columns.start - self.w_x : columns.stop - self.w_x]

    def meets(self, other: "Piece") -> bool:
        """Whether they have a pixel in common, of the window or beyond it."""
        return (
            self.w_x < other.w_x + other.w_width
            and other.w_x < self.w_x + self.w_width
            and self.w_y < other.w_y + other.w_height
            and other.w_y < self.w_y + self.w_height
        )

    def covers(self, w_width: int, w_height: int) -> bool:
        """Any of a window of this size."""
        return all(part.start < part.stop for part in self.inside(w_width, w_height))


@dataclass(frozen=True)
class Mosaic:
    """A window that is put together."""

    window: int
    """Its place in the request."""
    w_width: int
    w_height: int
    pieces: tuple[Piece, ...]

    @property
    def pixels(self) -> int:
        return self.w_width * self.w_height

    @property
    def is_side_by_side(self) -> bool:
        """Whether no pixel is shown by two pieces, as of a scanner's tiles; False for more than `FEW`, unlooked at."""
        pairs = itertools.combinations(self.pieces, 2)
        return len(self.pieces) <= FEW and not any(one.meets(other) for one, other in pairs)

    @property
    def covered(self) -> int:
        """Pixels that its pieces cover, those that several cover more than once."""
        parts = (each.inside(self.w_width, self.w_height) for each in self.pieces)
        return sum((rows.stop - rows.start) * (columns.stop - columns.start) for rows, columns in parts)


def check_physical_size(windows: NDArray[np.float64], slide_mpp: NDArray[np.float32], tile_px: int, mpp: float) -> None:
    """ValueError unless each window (N, 4) shows as much of the slide as the network takes; `mpp` NaN: anything."""
    if slide_mpp.shape != (1,):
        raise ValueError(f"MPP is {list(slide_mpp.shape)}, wanted [1]: µm per level-0 pixel of the slide")
    if math.isnan(mpp):
        return
    l0_mpp = float(slide_mpp[0])
    # Written so that NaN is bad.
    if not 0 < l0_mpp < math.inf:
        raise ValueError(f"MPP is {l0_mpp:g}; wanted µm per level-0 pixel of the slide, finite and above 0")
    wanted = tile_px * mpp
    off = np.abs(windows[:, 2:] * l0_mpp - wanted).max(axis=1)
    bad = off > max(PHYSICAL_TOLERANCE * wanted, 0.5 * l0_mpp)
    if bad.any():
        index = int(bad.argmax())
        l0_width, l0_height = windows[index, 2:]
        raise ValueError(
            f"WINDOW {index} is {l0_width:g} x {l0_height:g} level-0 pixels, at MPP {l0_mpp:g} {l0_width * l0_mpp:g} x"
            f" {l0_height * l0_mpp:g} µm; the network looks at {wanted:g} x {wanted:g} µm ({tile_px} pixels of {mpp:g}"
            f" µm), within 2 %: send windows of {wanted / l0_mpp:g} level-0 pixels, or the right MPP"
        )


def pictures_near(windows: NDArray[np.float64], regions: NDArray[np.float64], tile_px: int) -> NDArray[np.bool_]:
    """(N, P): which pictures (P, 4) lie in which window (N, 4), or within a pixel of the network beside it.

    Raises ValueError for a window without any, and for a picture that is near none: one of both lies elsewhere than
    its numbers say.
    """
    # Without it the last bits of a float would decide whether a neighbour is refused.
    l0_beside = windows[:, 2:].max(axis=1, keepdims=True) / tile_px
    starts, ends = windows[:, :2] - l0_beside, windows[:, :2] + windows[:, 2:] + l0_beside
    l0_ends = regions[:, :2] + regions[:, 2:]
    near = ((regions[None, :, :2] < ends[:, None]) & (l0_ends[None] > starts[:, None])).all(axis=2)
    if not near.any(axis=1).all():
        index = int(near.any(axis=1).argmin())
        raise untouched(index, windows[index])
    if not near.any(axis=0).all():
        index = int(near.any(axis=0).argmin())
        raise ValueError(
            f"REGION {index} is {regions[index].tolist()}, and no WINDOW lies there; send the pictures that the windows"
            " are made of, and where they are"
        )
    return near


def untouched(index: int, window: NDArray[np.float64]) -> ValueError:
    return ValueError(f"WINDOW {index} is {window.tolist()}, and no REGION lies in it: there is nothing to look at")


def whole_pictures(
    windows: NDArray[np.float64], regions: NDArray[np.float64], tiles: Sequence[bytes]
) -> list[int | None]:
    """The picture that shows just each window, None where there is none; ValueError for two that differ."""
    same = (regions[None] == windows[:, None]).all(axis=2)
    found, first = same.sum(axis=1), same.argmax(axis=1)
    for index in np.flatnonzero(found > 1):
        other = next((each for each in np.flatnonzero(same[index]) if tiles[each] != tiles[first[index]]), None)
        if other is not None:
            raise ValueError(
                f"TILE {first[index]} and TILE {other} both show WINDOW {index}, {windows[index].tolist()}, and differ:"
                " send one picture of it, and each window where it lies"
            )
    return [int(place) if there else None for place, there in zip(first, found, strict=True)]


def mosaic(index: int, window: NDArray[np.float64], near: Pictures, max_pixels: int) -> Mosaic:
    """How the pictures near a window make it up.

    Raises ValueError for pictures of several scales, or that do not lie at whole pixels of the window; for a window
    that they do not touch, that is no square, or has more than `max_pixels`.
    """
    scale = common_scale(index, near)
    check_square(index, window.tolist(), 1 / scale)
    w_width, w_height = (max(1, round(length * scale)) for length in window[2:].tolist())
    if w_width * w_height > max_pixels:
        raise ValueError(
            f"WINDOW {index} is {w_width} x {w_height} pixels at the scale of its pictures; at most {max_pixels} are"
            " put together: send a coarser level"
        )
    placed = zip(near.tile.tolist(), whole_pixels(index, window, near, scale), near.sizes.tolist(), strict=True)
    pieces = (Piece(tile, x, y, width, height) for tile, (x, y), (width, height) in placed)
    inside = tuple(each for each in pieces if each.covers(w_width, w_height))
    if not inside:
        raise untouched(index, window)
    return Mosaic(index, w_width, w_height, inside)


def whole_pixels(index: int, window: NDArray[np.float64], near: Pictures, scale: float) -> list[list[int]]:
    """Where in the window each picture's corner lies, x and y in its pixels; ValueError for one between pixels."""
    w_corners = (near.regions[:, :2] - window[:2]) * scale
    w_whole = np.rint(w_corners)
    off = np.abs(w_corners - w_whole).max(axis=1)
    if off.max() > OFF_GRID:
        worst = int(off.argmax())
        x, y = w_corners[worst]
        raise ValueError(
            f"TILE {near.tile[worst]} begins {x:g}, {y:g} pixels from the corner of WINDOW {index}, between pixels;"
            f" both must lie at whole pixels of the pictures, {1 / scale:g} level-0 pixels each"
        )
    return w_whole.astype(int).tolist()


def common_scale(index: int, near: Pictures) -> float:
    """Pixels per level-0 pixel of the pictures near window `index`; ValueError unless they agree."""
    ranges = [scale_range(*each) for each in np.hstack((near.sizes, near.regions[:, 2:])).tolist()]
    fine, coarse = (chosen(range(len(ranges)), key=lambda k: ranges[k][end]) for chosen, end in ((max, 0), (min, 1)))
    if ranges[fine][0] > ranges[coarse][1] * (1 + LAST_BITS):
        found = (near.sizes / near.regions[:, 2:]).mean(axis=1)
        raise ValueError(
            f"WINDOW {index}: TILE {near.tile[coarse]} has {found[coarse]:g} pixels per level-0 pixel, TILE"
            f" {near.tile[fine]} {found[fine]:g}; the pictures of a window must have one scale, within 1 %: nothing is"
            " stretched"
        )
    # Exactly rounded sums: the order of the pictures does not show.
    return math.fsum(near.sizes.ravel()) / math.fsum(near.regions[:, 2:].ravel())


def scale_range(width: float, height: float, l0_width: float, l0_height: float) -> tuple[float, float]:
    """The least and the most pixels per level-0 pixel that a picture can have; the least above the most: stretched.

    Two pictures, or two sides, whose ranges have nothing in common differ by more than `TOLERANCE`, and by more than a
    pixel.
    """
    ends = [
        ((length - half) / l0_length, (length + half) / l0_length)
        for length, l0_length in ((width, l0_width), (height, l0_height))
        for half in (max(0.5, TOLERANCE / 2 * length),)
    ]
    return max(ends[0][0], ends[1][0]), min(ends[0][1], ends[1][1])


def check_shape(width: int, height: int, region: Sequence[float]) -> None:
    """ValueError if a picture of this size would have to be stretched to be what its region says."""
    l0_width, l0_height = region[2:]
    least, most = scale_range(width, height, l0_width, l0_height)
    if least > most * (1 + LAST_BITS):
        raise ValueError(
            f"is {width} x {height} pixels and its REGION {l0_width:g} x {l0_height:g}, another shape: REGION must be"
            " what TILE shows, the pixels would be stretched"
        )


def check_square(index: int, window: Sequence[float], l0_px: float) -> None:
    """The network takes a square; `l0_px` is the size of a pixel."""
    l0_width, l0_height = window[2:]
    if abs(l0_width - l0_height) > max(l0_px, TOLERANCE * l0_width) * (1 + LAST_BITS):
        raise ValueError(
            f"WINDOW {index} is {l0_width:g} x {l0_height:g} level-0 pixels; the network takes a square part of the"
            " slide, white beyond its end"
        )
