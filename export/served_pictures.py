"""Tiles of a slide once more, as the server saw them: for what a served network is measured against.

The one file here that knows the client: slides are read by the code that read them for the server.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from histoserve.client.errors import HistoserveError
from histoserve.client.results.source import source_of
from histoserve.client.slide import open_slide
from histoserve.ensemble.decode import fit


def served_pictures(slide: Path, result: dict, regions: NDArray[np.float32], tile_px: int) -> NDArray[np.uint8]:
    """RGB (N, tile_px, tile_px, 3) of the `regions` (N, 4), level-0 px, as they were before they were encoded.

    `result` is the content of `result.json`, which names the level and the slide. Raises ValueError for a slide that
    cannot be read, or is not the one of which the result was made.
    """
    pictures = np.empty((len(regions), tile_px, tile_px, 3), np.uint8)
    try:
        if other := source_of(slide).differs_from(result):
            raise ValueError(f"{slide} is not the slide of the result, {other}: analyse it again")
        with open_slide(slide) as opened:
            for region, picture in zip(np.rint(regions).astype(int).tolist(), pictures, strict=True):
                fit(opened.read(tuple(region), result["slide"]["level_read"]), picture)
    except HistoserveError as error:
        raise ValueError(str(error)) from error
    return pictures
