"""The first guess: every turn, mirrored or not, at five scales, each laid where it correlates best.

The correlation counts only places that both slides have a picture of: tissue that a slide's edge cuts is not compared
with what nobody saw.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.registration.affine import Matrix, after, applied, inverse, moving
from histoserve.client.registration.correlation import Field, Spectra, canvas_for, correlation, spectra
from histoserve.client.registration.lay import by_index
from histoserve.client.registration.view import View

DEGREES = 12
"""Between turns: half of it is what the fine step bridges."""

SCALES = (0.8, 0.894, 1.0, 1.118, 1.25)
"""Sizes of the H&E's tissue over the IHC's, in µm: sections shrink, and µm/px may be a little wrong."""

KEPT = 60
"""Of the 300 that are tried at half the size, those tried again: a fifth, at a quarter of the cost."""


@dataclass(frozen=True)
class Guess:
    """A place to begin from."""

    matrix: Matrix
    """µm of the H&E → µm of the IHC."""
    correlation: float


def guesses(he: View, ihc: View) -> list[Guess]:
    """The best place of the best turns, mirrored or not, and scales, best first; both views at the same small scale."""
    he_half, ihc_half = (view.shrunk(2 * view.um_per_px) for view in (he, ihc))
    turns = [turn for scale in SCALES for turn in _turns(scale)]
    tried = sorted(_placed(he_half, ihc_half, turns), key=lambda each: -each[1].correlation)[:KEPT]
    again = _placed(he, ihc, [turn for turn, _ in tried])
    return sorted((guess for _, guess in again), key=lambda guess: -guess.correlation)


def _placed(he: View, ihc: View, turns: list[Matrix]) -> Iterator[tuple[Matrix, Guess]]:
    """Those turns that fit anywhere, each where it fits best."""
    size = float(np.hypot(ihc.rgb.shape[0], ihc.rgb.shape[1]))
    canvas = canvas_for((he.rgb.shape[0], he.rgb.shape[1]), int(np.ceil(size * max(SCALES))) + 2)
    fixed = spectra(he.structure, he.pictured.astype(np.float32), he.tissue.astype(np.float32), canvas)
    for turn in turns:
        guess = _best_place(he, ihc, turn, fixed, canvas)
        if guess:
            yield turn, guess


def _turns(scale: float) -> Iterator[Matrix]:
    """µm of the H&E → µm of the IHC, about the origin."""
    for mirror in (1.0, -1.0):
        for degrees in range(0, 360, DEGREES):
            cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
            turn = np.array([[cosine * mirror, -sine], [sine * mirror, cosine]]) / scale
            yield np.column_stack([turn, np.zeros(2)])


def _best_place(he: View, ihc: View, turn: Matrix, fixed: Spectra, canvas: tuple[int, int]) -> Guess | None:
    """None if nowhere enough of the tissue lies on the other's picture, or it is alike nowhere."""
    # The IHC is drawn at the H&E's scale and turned, upon a picture of its own that just holds it.
    to_he_px = after(inverse(after(turn, he.to_um)), ihc.to_um)
    height, width = ihc.rgb.shape[:2]
    corners = applied(to_he_px, [(0, 0), (width, 0), (width, height), (0, height)])
    first, last = np.floor(corners.min(axis=0)), np.ceil(corners.max(axis=0))
    to_ihc_px, size = after(inverse(to_he_px), moving(first)), (int(last[0] - first[0]), int(last[1] - first[1]))
    values, mask, tissue = (_drawn(each, to_ihc_px, size) for each in (ihc.structure, ihc.pictured, ihc.tissue))
    scores = correlation(fixed, spectra(values, mask, tissue, canvas))
    y, x = (int(each) for each in np.unravel_index(int(np.argmax(scores)), scores.shape))
    if not scores[y, x] > 0:
        return None
    # Cyclic: what is shifted beyond the H&E's end lies before its beginning.
    shift = np.array([x if x < he.rgb.shape[1] else x - canvas[1], y if y < he.rgb.shape[0] else y - canvas[0]])
    away = after(after(turn, he.to_um), moving(first - shift))
    return Guess(after(away, inverse(he.to_um)), float(scores[y, x]))


def _drawn(values: NDArray, to_px: Matrix, size: tuple[int, int]) -> Field:
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(values.astype(np.float32), by_index(to_px), size, flags=flags), np.float32)
