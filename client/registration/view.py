"""What registration sees of a slide: how dense it is, where there is tissue, and where there is a picture at all."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.colour import border_colours
from histoserve.client.raster import Block, Raster, raster_for
from histoserve.client.registration.affine import Matrix
from histoserve.client.registration.density import density_of, glass_of, is_tissue, structure_of
from histoserve.client.slide import RGB, Slide
from histoserve.client.squares import UNREAD, classify
from histoserve.client.surround import surround_of
from histoserve.client.sweep import See, blocks_of, sweep

LOOK_PX = 1000
"""Longer side of the first look at a whole slide, in which its tissue is found."""

MARGIN = 0.05
"""Of the tissue's longer side, around it."""

ONE = 1
"""Thread: what is read does not depend on how many there are, but the seconds would."""


@dataclass(frozen=True)
class View:
    """The part of a slide that holds its tissue."""

    rgb: RGB
    pictured: NDArray[np.bool_]
    """(h, w): False where nothing was read or scanned."""
    to_um: Matrix
    """Its px, a pixel ending at integers → µm from the slide's upper left corner."""
    glass: NDArray[np.float64]
    """RGB."""

    @property
    def um_per_px(self) -> float:
        """Of a side, the two being as good as equal."""
        return float(np.sqrt(self.to_um[0, 0] * self.to_um[1, 1]))

    @cached_property
    def density(self) -> NDArray[np.float32]:
        """(h, w): optical density, the mean of the channels'; 0 for glass and where there is no picture."""
        return np.where(self.pictured, density_of(self.rgb, self.glass), np.float32(0))

    @cached_property
    def structure(self) -> NDArray[np.float32]:
        """(h, w), 0 to 1: what both stains show, haematoxylin above all; 0 where there is no picture."""
        return np.where(self.pictured, structure_of(self.rgb, self.glass), np.float32(0))

    @cached_property
    def tissue(self) -> NDArray[np.bool_]:
        """(h, w)."""
        return is_tissue(self.density, self.um_per_px) & self.pictured

    @property
    def tissue_um2(self) -> float:
        """Its area."""
        return float(self.tissue.sum() * self.um_per_px**2)

    def shrunk(self, um_per_px: float) -> "View":
        """At this scale or, where it is no finer, as it is."""
        factor = self.um_per_px / um_per_px
        if factor >= 1:
            return self
        height, width = self.rgb.shape[:2]
        size = max(1, round(width * factor)), max(1, round(height * factor))
        ratio = np.diag([width / size[0], height / size[1]])
        rgb = cv2.resize(self.rgb, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
        share = cv2.resize(self.pictured.view(np.uint8) * np.uint8(255), size, interpolation=cv2.INTER_AREA)
        to_um = np.column_stack([self.to_um[:, :2] @ ratio, self.to_um[:, 2]])
        return View(rgb, share > 127, to_um, self.glass)


def look(slide: Slide, mpp: float) -> View:
    """The whole slide, small; raises SlideError if nothing of it can be read."""
    raster = raster_for(slide, max(1.0, max(slide.l0_size) / LOOK_PX))
    colours = border_colours(slide, raster, ONE)
    squares = np.full((raster.rows, raster.columns), UNREAD, np.uint8)

    def see(block: Block, pixels: RGB, mean: RGB) -> None:
        squares[block.cut] = classify(pixels, mean, colours)

    rgb, unread = _read(slide, raster, raster.whole, see)
    pictured = ~(unread | surround_of(slide, raster, squares, colours, mpp, ONE).mask)
    side = raster.side * mpp
    return View(rgb, pictured, np.array([[side, 0, 0], [0, side, 0]]), glass_of(rgb[pictured]))


def look_closer(slide: Slide, mpp: float, whole: View, um_per_px: float) -> View:
    """The part with tissue, at this scale or finer where the slide is as fine; `whole` as `look` saw it."""
    raster = raster_for(slide, max(1.0, um_per_px / mpp))
    part, side = _part(raster, mpp, whole), raster.side * mpp
    rgb, unread = _read(slide, raster, part, lambda block, pixels, mean: None)
    factor = side / whole.um_per_px
    rows = _nearest(part.top, part.rows, factor, whole.pictured.shape[0])
    columns = _nearest(part.left, part.columns, factor, whole.pictured.shape[1])
    pictured = whole.pictured[np.ix_(rows, columns)] & ~unread
    return View(rgb, pictured, np.array([[side, 0, part.left * side], [0, side, part.top * side]]), whole.glass)


def tissue_box_um(view: View) -> tuple[float, float, float, float]:
    """x, y, width, height of the upright rectangle around the tissue, of which there must be some."""
    rows, columns = (np.flatnonzero(view.tissue.any(axis=axis)) for axis in (1, 0))
    corners = np.array([[columns[0], rows[0]], [columns[-1] + 1, rows[-1] + 1]], np.float64)
    (left, top), (right, bottom) = corners @ view.to_um[:, :2].T + view.to_um[:, 2]
    return float(left), float(top), float(right - left), float(bottom - top)


def _part(raster: Raster, mpp: float, whole: View) -> Block:
    x, y, width, height = tissue_box_um(whole)
    margin, side = MARGIN * max(width, height), raster.side * mpp
    left, top = max(0, int((x - margin) / side)), max(0, int((y - margin) / side))
    right = min(raster.columns, int(np.ceil((x + width + margin) / side)))
    bottom = min(raster.rows, int(np.ceil((y + height + margin) / side)))
    return Block(left, top, right - left, bottom - top)


def _nearest(first: int, count: int, factor: float, length: int) -> NDArray[np.int64]:
    """Of `count` px from the `first`, the px of a row that is coarser by a factor and so long."""
    return np.minimum(((np.arange(count) + first + 0.5) * factor).astype(np.int64), length - 1)


def _read(slide: Slide, raster: Raster, part: Block, see: See) -> tuple[RGB, NDArray[np.bool_]]:
    """The part's colours (rows, columns, 3), and where nothing could be read."""
    rgb = np.empty((part.rows, part.columns, 3), np.uint8)
    nothing = np.empty((part.rows, part.columns), np.bool_)

    def take(block: Block, mean: RGB, unread: NDArray[np.bool_]) -> None:
        here = block.within(part).cut
        rgb[here], nothing[here] = mean, unread

    sweep(slide, raster, blocks_of(slide, raster, part), take, ONE, see)
    return rgb, nothing
