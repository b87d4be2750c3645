"""Where in a picture most lesion is: a window is moved over what a coarse pass saw (CN113838558A [0050]).

picture ─ squares of a quarter window ─▶ session ⇢ values ─▶ the window with the largest sum
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoserve.client.contract import Contract
from histoserve.client.errors import ServerError
from histoserve.client.grid import PlannedTile, Rectangle, TileSize, grid
from histoserve.client.pipelines import Placed
from histoserve.client.regions import LEAST_PX, region_side
from histoserve.client.resolution import Resolution
from histoserve.client.session import Asked, Session
from histoserve.client.slide import RGB, Slide
from histoserve.client.stream import Width
from histoserve.client.survey import Survey
from histoserve.client.tissue import find_tissue
from histoserve.client.travel.reading import Pixels, read_into
from histoserve.client.work import IN_FLIGHT, Work, batch_for

PARTS = 4
"""Of a window's side: squares of the coarse pass, and steps by which the window is moved."""


@dataclass(frozen=True)
class Seen:
    """What the coarse pass saw."""

    regions: NDArray[np.float64]
    """(N, 4) in level-0 px."""
    values: NDArray[np.float64]
    """(N,)."""

    def inside(self, window: Rectangle) -> NDArray[np.bool_]:
        """(N,): whose middles lie in the window."""
        middles = self.regions[:, :2] + self.regions[:, 2:] / 2
        first, size = np.array(window[:2]), np.array(window[2:])
        return np.asarray(((middles >= first) & (middles < first + size)).all(axis=1))


@dataclass(frozen=True)
class Means:
    """By which the coarse pass looks."""

    wire: Asked
    look: Callable[[], Survey]
    """Where tissue is, if the scale is known."""
    send: Callable[[RGB], bytes]
    """How pixels are encoded."""


def auto_crop(
    slide: Slide, resolution: Resolution, contract: Contract, enlarge: float, means: Means
) -> Rectangle | None:
    """The window, or None for the whole picture: where it is no larger, and where no lesion is seen.

    Its side is the contract's crop_regions regions, of the picture as it will be enlarged. What a reader should know is
    added to the slide's warnings. Raises what ends a session.
    """
    side = contract.number("crop_regions") * _region_px(slide, resolution, contract) / enlarge
    size = min(round(side), slide.l0_size[0]), min(round(side), slide.l0_size[1])
    if size == slide.l0_size:
        return None
    # Beyond the picture's border there is nothing to be seen.
    square = min(max(LEAST_PX, round(side / PARTS)), *slide.l0_size)
    tiles = grid(*slide.l0_size, TileSize(square, 0))
    if resolution.known:
        tissue = find_tissue(means.look(), resolution.mpp)
        tiles = tiles.where(lambda tile: tissue.in_core(tile.core))
    seen = _coarsely(slide, Work(contract, resolution.mpp, tiles, _width(contract, square)), means)
    window = most(seen, size, slide.l0_size, square)
    least = contract.number("reached")
    if window is None or not seen.values.max() >= least:
        slide.warnings.append("--crop auto: a coarse pass saw no lesion, so all of the picture is analysed.")
        return None
    outside = int(((seen.values >= least) & ~seen.inside(window)).sum())
    if outside:
        slide.warnings.append(
            f"--crop auto: {outside} of the coarse pass's squares with lesion lie outside of the window "
            f"{','.join(map(str, window))}; the direction and extent are those within it."
        )
    return window


def most(seen: Seen, size: tuple[int, int], l0_size: tuple[int, int], step: int) -> Rectangle | None:
    """The window of `size` with the largest sum of values, of equal ones the first by rows; None if nothing was seen.

    It is moved by `step` px, and to the far borders.
    """
    if not len(seen.values):
        return None
    columns, rows = (
        sorted({*range(0, whole - part, step), whole - part}) for whole, part in zip(l0_size, size, strict=True)
    )
    windows = [(x, y, *size) for y in rows for x in columns]
    sums = [float(seen.values[seen.inside(window)].sum()) for window in windows]
    return windows[int(np.argmax(np.round(sums, 6)))]


def _region_px(slide: Slide, resolution: Resolution, contract: Contract) -> float:
    if resolution.known:
        return contract.tile_px * contract.mpp / resolution.mpp
    return region_side(slide.name, slide.l0_size, contract.tile_px, None)


def _width(contract: Contract, square: int) -> Width:
    return Width(batch_for(contract, 3 * square**2), IN_FLIGHT)


def _coarsely(slide: Slide, work: Work, means: Means) -> Seen:
    if not work.tiles:
        return Seen(np.empty((0, 4)), np.empty(0))
    level = slide.level_for(work.tiles[0].region[2] / work.contract.tile_px)

    def read(tile: PlannedTile) -> bytes:
        return means.send(slide.read(tile.region, level))

    with Session(means.wire, work) as session:
        read_into(session, Pixels(read))
        rows = session.rows
    if not isinstance(rows, Placed):
        raise ServerError(f"--crop auto: {work.contract.pipeline} tells no value of a region.")
    regions, values = rows.values()
    return Seen(regions.astype(np.float64), values.astype(np.float64))
