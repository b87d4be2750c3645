"""What lies below the layers: the slide itself, else its overview, else plain grey; as JPEG tiles."""

import io
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from histoserve.client.errors import HistoserveError
from histoserve.client.results.layers import Grid
from histoserve.client.slide import RGB, UNREAD, Slide, printable
from histoserve.client.view.match import OtherSlide, open_matching
from histoserve.client.view.overview import Overview, open_overview
from histoserve.client.view.result import Result
from histoserve.client.view.slide_tiles import Drawn, draw_tile, pixels_read
from histoserve.client.view.slides import SlideOnPage
from histoserve.client.view.unchanged import Unchanged
from histoserve.client.view.zoom import TILE_PX, Tile, deepest

QUALITY = 90
"""Of the JPEGs, without subsampled colours: a nucleus must not look paler than in the slide."""

MOST_READ_PX = 2**26
"""Of a level, for one tile; two seconds of one core. Slides with a pyramid need 2^20."""

Kind = Literal["slide", "overview", "none"]
Note = dict[str, Any]
"""{"code": …}, and what the page's sentence for it names."""


class Background:
    """Of one slide; made in a second or two, then several threads may draw at a time."""

    def __init__(self, slide: SlideOnPage, files: Sequence[Path] | None):
        """`files`: what may be the slide; None if the user named none."""
        self.notes: list[Note] = []
        self.l0_size = slide.said.l0_size
        self._unchanged: Unchanged | None = None
        self._has_values = False
        self._slide = self._opened(slide, files)
        coarsest = Tile(0, 0, TILE_PX, TILE_PX, 1 << deepest(self.l0_size))
        self._too_coarse = self._slide is not None and pixels_read(self._slide, coarsest) > MOST_READ_PX
        self._overview = None if self._slide and not self._too_coarse else self._any_overview(slide)
        if self._too_coarse and self._overview:
            self.notes.append({"code": "coarse-from-overview"})

    @property
    def kind(self) -> Kind:
        """What is shown."""
        return "slide" if self._slide else "overview" if self._overview else "none"

    @property
    def objective_power(self) -> float | None:
        """By the slide's file, if it is open."""
        return self._slide.objective_power if self._slide else None

    def jpeg(self, tile: Tile, plain: bool = False) -> tuple[bytes, bool]:
        """The tile, and whether it will look the same next time: what could not be read is grey, for now.

        `plain`: without numbers; grey where an overview with a grid's values written in it is all there is.
        """
        drawn = self._draw(tile, plain)
        buffer = io.BytesIO()
        Image.fromarray(drawn.pixels).save(buffer, "JPEG", quality=QUALITY, subsampling=0)
        return buffer.getvalue(), drawn.whole

    def _draw(self, tile: Tile, plain: bool) -> Drawn:
        slide, overview = self._slide, self._overview
        if slide and not (overview and pixels_read(slide, tile) > MOST_READ_PX):
            return draw_tile(slide, tile) if self._unchanged and self._unchanged() else Drawn(_grey(tile), False)
        return Drawn(overview.draw(tile) if overview and not (plain and self._has_values) else _grey(tile), True)

    def _opened(self, slide: SlideOnPage, files: Sequence[Path] | None) -> Slide | None:
        if not files:
            self.notes.append({"code": "slide-not-given" if files is None else "slide-not-found"})
            return None
        try:
            opened, same_bytes = open_matching(files, slide.said)
            self._unchanged = Unchanged(opened.path)
        except HistoserveError as error:
            code = "slide-differs" if isinstance(error, OtherSlide) else "slide-unreadable"
            self.notes.append({"code": code, "detail": _without_paths(str(error), slide, files)})
            return None
        if not same_bytes:
            self.notes.append({"code": "slide-bytes-differ"})
        return opened

    def _any_overview(self, slide: SlideOnPage) -> Overview | None:
        # One without a grid's values first, if there is any.
        for result in sorted(slide.results, key=_has_grid):
            with suppress(ValueError):
                part = result.saved.background.overview
                found = open_overview(result.folder / "overview.png", part, self.l0_size)
                self._has_values = _has_grid(result)
                return found
        if not self._slide:
            self.notes.append({"code": "no-overview"})
        return None


def _has_grid(result: Result) -> bool:
    return any(isinstance(layer, Grid) for layer in result.saved.layers)


def _grey(tile: Tile) -> RGB:
    return np.full((tile.height, tile.width, 3), UNREAD, np.uint8)


def _without_paths(text: str, slide: SlideOnPage, files: Sequence[Path]) -> str:
    """For the page: folders, and other names of the file, bear the names of patients."""
    for file in files:
        text = text.replace(printable(file), slide.said.name)
    return text
