"""Decoded pictures over each other: the pixels of a window."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from histoserve.ensemble.windows import Mosaic, Piece

WHITE = 255


def stitched(mosaic: Mosaic, pictures: Mapping[int, NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """RGB (w_height, w_width, 3) of the pictures (H, W, 3), white where there is none.

    Where several show one place they must show the same, so that their order does not matter; ValueError if not.
    """
    window = np.full((mosaic.w_height, mosaic.w_width, 3), WHITE, np.uint8)
    taken = np.zeros(window.shape[:2], bool)
    for piece in mosaic.pieces:
        rows, columns = piece.inside(mosaic.w_width, mosaic.w_height)
        shown = piece.shown(mosaic, pictures[piece.tile])
        again = taken[rows, columns]
        if again.any():
            check_same(mosaic, piece, again & (window[rows, columns] != shown).any(axis=2))
        window[rows, columns] = shown
        again[:] = True
    return window


def check_same(mosaic: Mosaic, piece: Piece, differs: NDArray[np.bool_]) -> None:
    """`differs` over the part of the window that `piece` covers; ValueError, naming the other picture, if any does."""
    if not differs.any():
        return
    y, x = np.argwhere(differs)[0] + (max(0, piece.w_y), max(0, piece.w_x))
    other = next(
        each.tile
        for each in mosaic.pieces
        if each.w_x <= x < each.w_x + each.w_width and each.w_y <= y < each.w_y + each.w_height
    )
    raise ValueError(
        f"TILE {other} and TILE {piece.tile} overlap in WINDOW {mosaic.window} and differ there, at its pixel {x}, {y}:"
        " send pictures of one level that were not compressed apart, or one picture of the window"
    )
