"""The slide that benchmarks of the tile path run on: a real one's tiles, or a phantom's, repeated."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from histoserve.benchmark.client.large import repeated
from histoserve.client.grid import PlannedTile, grid, tile_size
from histoserve.client.slide import Slide, open_slide
from histoserve.client.travel.encode import Encoding, encode
from histoserve.client.travel.reading import Pixels
from histoserve.client.travel.stored_reader import Stored
from histoserve.phantom import write_phantom

TILE_PX, MARGIN_PX, MPP = 512, 32, 0.25
"""As nuclei wants them; the slide is taken to be of this resolution."""


@contextmanager
def large_slide(image: Path | None, pixels: float) -> Iterator[Slide]:
    """Of at least so many pixels, in the JPEG tiles of `image` or of a phantom; gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        source = image or Path(folder) / "phantom.tiff"
        if image is None:
            write_phantom(source, kind="he", size=(2048, 2048), mpp=MPP, seed=1, truth=None)
        with open_slide(repeated(source, Path(folder) / "large.svs", pixels)) as slide:
            yield slide


def tiles_of(slide: Slide) -> list[PlannedTile]:
    """All of the slide, glass too."""
    return list(grid(*slide.l0_size, tile_size(TILE_PX, MPP, MARGIN_PX, MPP)))


def pixels_of(slide: Slide) -> Pixels:
    """By OpenSlide."""
    return Pixels(lambda tile: encode(slide.read(tile.region, 0), Encoding()))


@contextmanager
def stored_of(slide: Slide, *batches: int) -> Iterator[list[Stored]]:
    """A reader for each number of tiles in a request; ValueError for a slide whose JPEGs cannot travel."""
    stored = slide.stored(0)
    if stored is None:
        raise ValueError(f"{slide.name} has no JPEG tiles that can travel as they are; give an SVS in JPEG tiles")
    try:
        readers = [Stored(slide, 0, stored, pixels_of(slide), batch) for batch in batches]
        if (why := readers[0].difference(tiles_of(slide))) is not None:
            raise ValueError(f"{slide.name}: {why}")
        yield readers
    finally:
        stored.close()
