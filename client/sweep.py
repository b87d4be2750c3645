"""A whole slide read once, block by block and in threads; damage costs no more than itself.

What one level does not give is taken from the next finer one. What no level gives is unread, in parts as small as they
are worth opening the file anew for.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed

import numpy as np
from numpy.typing import NDArray

from histoserve.client.errors import SlideError, UnreadableRegion
from histoserve.client.raster import Block, Raster, means
from histoserve.client.slide import LEVEL_TOLERANCE, RGB, UNREAD, Slide

BLOCK_PX = 2048
"""Side of what is read at once, in pixels of the level: some 50 MB a thread with all that is made of it."""

LEAF_PX = 256
"""A part that cannot be read is divided down to this, a usual tile: what lies beside the damage is kept."""

See = Callable[[Block, RGB, RGB], None]
"""Is given a block, its pixels filled up to whole squares (h, w, 3), and the squares' means (rows, columns, 3)."""

Take = Callable[[Block, RGB, NDArray[np.bool_]], None]
"""Is given a block, the means of its squares (grey where unread), and which of them are unread (rows, columns)."""


def blocks_of(slide: Slide, raster: Raster, part: Block, multiple: int = 1) -> list[Block]:
    """A part of the raster in blocks of about BLOCK_PX, their sides a multiple of so many squares."""
    level_px = raster.side / slide.downsamples[slide.level_for(raster.side)]
    step = max(1, int(BLOCK_PX / level_px / multiple)) * multiple
    return [
        Block(left, top, min(step, part.left + part.columns - left), min(step, part.top + part.rows - top))
        for top in range(part.top, part.top + part.rows, step)
        for left in range(part.left, part.left + part.columns, step)
    ]


def sweep(
    slide: Slide,
    raster: Raster,
    blocks: list[Block],
    take: Take,
    threads: int,
    see: See = lambda block, pixels, mean: None,
    progress: Callable[[int], None] = lambda done: None,
    downsample: float | None = None,
) -> None:
    """Every block once, in any order, `take` and `see` in threads; `see` may get a block in parts, readable ones only.

    `downsample`: level-0 px per pixel of the level that is read, at most; without it one pixel a square will do.
    `progress` is told in the caller's thread how many blocks are done. Raises SlideError if nothing can be read.
    """
    pool = ThreadPoolExecutor(threads, "sweep")
    levels = _levels(slide, downsample or raster.side)
    failures: list[str] = []
    anything = False
    try:
        pending = [pool.submit(_read_block, slide, raster, block, levels, take, see) for block in blocks]
        for done, future in enumerate(as_completed(pending), 1):
            some, failed = future.result()
            anything |= some
            failures[len(failures) :] = failed[:1]
            progress(done)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    if failures and not anything:
        raise SlideError(f"Nothing of {slide.path} can be read ({failures[0]}). The file is damaged; copy it again.")


def _read_block(
    slide: Slide, raster: Raster, block: Block, levels: list[int], take: Take, see: See
) -> tuple[bool, list[str]]:
    """Whether anything was read, and why the rest was not."""
    mean = np.full((block.rows, block.columns, 3), UNREAD, np.uint8)
    unread = np.ones((block.rows, block.columns), np.bool_)
    failures = []
    for part, pixels, reason in _parts(slide, raster, block, levels):
        if pixels is None:
            failures.append(reason)
            continue
        cut = part.within(block).cut
        mean[cut], unread[cut] = means(pixels, part), False
        see(part, pixels, mean[cut])
    take(block, mean, unread)
    return not unread.all(), failures


def _levels(slide: Slide, downsample: float) -> list[int]:
    """Those that are as fine as `downsample`, coarsest first; the finest there is, if none is."""
    fine = [level for level, each in enumerate(slide.downsamples) if each <= downsample * LEVEL_TOLERANCE]
    return sorted(fine, key=lambda level: -slide.downsamples[level]) or [0]


def _parts(slide: Slide, raster: Raster, block: Block, levels: list[int]) -> Iterator[tuple[Block, RGB | None, str]]:
    """The block from the first level that gives it, else its parts; the text says why a part cannot be read."""
    downsample = slide.downsamples[levels[0]]
    px = max(block.columns, block.rows) * raster.side / downsample
    divisible = max(block.columns, block.rows) > 1
    if divisible and px > BLOCK_PX * LEVEL_TOLERANCE:
        yield from _quartered(slide, raster, block, levels)
        return
    try:
        pixels = slide.read(raster.region(block), levels[0])
    except UnreadableRegion as error:
        if divisible and px > LEAF_PX:
            yield from _quartered(slide, raster, block, levels)
        elif len(levels) > 1:
            yield from _parts(slide, raster, block, levels[1:])
        else:
            yield block, None, str(error)
    else:
        yield block, raster.filled(pixels, block, downsample), ""


def _quartered(
    slide: Slide, raster: Raster, block: Block, levels: list[int]
) -> Iterator[tuple[Block, RGB | None, str]]:
    for part in block.quarters():
        yield from _parts(slide, raster, part, levels)
