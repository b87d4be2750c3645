"""Nuclei onto pixels: which nucleus covers a pixel, and how deep under its outline the pixel lies."""

import numpy as np
from numpy.typing import NDArray

from histoserve.phantom.noise import Floats, Ints

Plane = NDArray[np.float32]

_TURN = 2 * np.pi
_STEPS = 256
_BUCKET = 8
"""Patches are computed together whose sides round up to the same multiple of this."""


def paste(
    polygons: Floats, centres: Floats, frame: tuple[int, int, int, int], rim: float
) -> tuple[Plane, NDArray[np.int32]]:
    """Depth (h, w) under the outline, and number (h, w) of the nearest polygon, 1 … N, 0 where none is within `rim`.

    `polygons` (N, V, 2) are star-shaped around `centres` (N, 2), vertices in order of growing angle from x to y; all in
    level-0 pixels, as `frame` (x, y, width, height) and depth (negative outside; −rim where there is none). A pixel
    belongs to a polygon if its centre lies inside: depth > 0.
    """
    x, y, width, height = frame
    depth = np.full((height, width), -rim, np.float32)
    number = np.zeros((height, width), np.int32)
    corner = np.floor(polygons.min(axis=1) - rim).astype(np.int64)
    side = (np.ceil(polygons.max(axis=1) + rim).astype(np.int64) - corner).max(axis=1)
    side = -(-side // _BUCKET) * _BUCKET
    touches = np.all((corner + side[:, None] > (x, y)) & (corner < (x + width, y + height)), axis=1)
    for length in np.unique(side[touches]):
        rows = np.nonzero(touches & (side == length))[0]
        patches = _depths(polygons[rows], centres[rows], corner[rows], int(length))
        for row, (left, top), patch in zip(rows, corner[rows] - (x, y), patches, strict=True):
            _keep_deeper(depth, number, patch, int(left), int(top), int(row) + 1)
    return depth, number


def _keep_deeper(depth: Plane, number: NDArray[np.int32], patch: Plane, left: int, top: int, name: int) -> None:
    height, width = depth.shape
    rows, columns = (
        slice(max(top, 0), min(top + len(patch), height)),
        slice(max(left, 0), min(left + len(patch), width)),
    )
    patch = patch[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    deeper = patch > depth[rows, columns]
    np.copyto(depth[rows, columns], patch, where=deeper)
    np.copyto(number[rows, columns], name, where=deeper)


def _depths(polygons: Floats, centres: Floats, corner: Ints, side: int) -> Plane:
    """Signed distance of the pixels of square patches (N, side, side) from the polygon edge that faces them."""
    vertices = polygons - centres[:, None, :]
    edge = np.roll(vertices, -1, axis=1) - vertices
    edge /= np.maximum(np.sqrt((edge**2).sum(axis=2, keepdims=True)), 1e-9)
    # Distance to the line through an edge, inwards: a * x + b * y + c.
    c = edge[:, :, 1] * vertices[:, :, 0] - edge[:, :, 0] * vertices[:, :, 1]
    line = np.stack([-edge[:, :, 1], edge[:, :, 0], c])
    to_pixel = corner[:, :, None] + 0.5 + np.arange(side) - centres[:, :, None]
    dx, dy = to_pixel[:, 0, None, :], to_pixel[:, 1, :, None]
    sector = _facing(vertices, dx.astype(np.float32), dy.astype(np.float32))
    # In double precision, since the sign must be right however near an edge is.
    depth = line[0].take(sector)
    depth *= dx
    depth += line[1].take(sector) * dy
    depth += line[2].take(sector)
    return depth.astype(np.float32)


def _facing(vertices: Floats, dx: Plane, dy: Plane) -> Ints:
    """Which edge, counted over all polygons, lies in the direction of each place: after the last vertex before it."""
    count, per_polygon = vertices.shape[:2]
    angle = np.arctan2(vertices[:, :, 1], vertices[:, :, 0])
    first = angle[:, :1]
    angle = np.mod(angle - first, _TURN)
    angle[:, 0] = 0
    # A table by direction finds the edge but for vertices within the same step of the table: these are compared.
    steps = np.arange(_STEPS) * (_TURN / _STEPS)
    table = (angle[:, None, 1:] <= steps[None, :, None]).sum(axis=2) + per_polygon * np.arange(count)[:, None]
    bounds = np.roll(angle, -1, axis=1)
    bounds[:, -1] = np.inf
    most = int(np.diff(table, axis=1, append=table[:, :1] + per_polygon).max())
    turn = np.arctan2(dy, dx)
    turn -= first[:, :, None].astype(np.float32)
    turn += np.where(turn < 0, np.float32(_TURN), np.float32(0))
    step = (turn * np.float32(_STEPS / _TURN)).astype(np.int32) & (_STEPS - 1)
    step += (np.arange(count, dtype=np.int32) * _STEPS)[:, None, None]
    sector = table.ravel().take(step)
    limits = bounds.astype(np.float32).ravel()
    for _ in range(most):
        sector += turn >= limits.take(sector)
    return sector
