"""The pyramid file, with plain images instead of tissue."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import openslide
import pytest
import tifffile

from histoserve.phantom import pyramid
from histoserve.phantom.pyramid import TILE, level_sizes, write_pyramid
from histoserve.phantom.tiff import TiffWriter

RED = (200, 30, 60)


def rows_of(columns: int, rows: int) -> Iterator[np.ndarray]:
    return (np.full((TILE, columns * TILE, 3), RED, np.uint8) for _ in range(rows))


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1, 1), [(1, 1)]),
        ((512, 512), [(512, 512)]),
        ((513, 2), [(513, 2)]),
        ((2049, 1025), [(2049, 1025), (512, 256)]),
        ((9000, 5000), [(9000, 5000), (2250, 1250), (562, 312), (140, 78)]),
    ],
)
def test_each_level_is_a_quarter_of_the_one_above(size: tuple[int, int], expected: list[tuple[int, int]]) -> None:
    assert level_sizes(size) == expected


def test_a_slide_of_no_whole_number_of_tiles_is_read_back_on_every_level(tmp_path: Path) -> None:
    write_pyramid(tmp_path / "red.tiff", (2500, 1030), 0.5, rows_of(10, 5))

    with openslide.OpenSlide(tmp_path / "red.tiff") as slide:
        sizes = slide.level_dimensions
        levels = [np.asarray(slide.read_region((0, 0), k, size)) for k, size in enumerate(sizes)]

    assert sizes == ((2500, 1030), (625, 257), (156, 64))
    assert all(abs(level[:, :, :3].astype(int) - RED).max() <= 2 for level in levels)
    assert all((level[:, :, 3] == 255).all() for level in levels)


def test_a_slide_too_large_for_32_bit_offsets_is_a_bigtiff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyramid, "_CLASSIC_LIMIT", 1000)

    write_pyramid(tmp_path / "red.tiff", (600, 300), 0.5, rows_of(3, 2))

    assert (tmp_path / "red.tiff").read_bytes()[:4] == b"II+\0"
    with openslide.OpenSlide(tmp_path / "red.tiff") as slide:
        assert slide.level_dimensions == ((600, 300), (150, 75))
        assert abs(np.asarray(slide.read_region((590, 290), 0, (4, 4)))[:, :, :3].astype(int) - RED).max() <= 2


def test_a_drawing_that_fails_leaves_no_file(tmp_path: Path) -> None:
    def failing() -> Iterator[np.ndarray]:
        yield from rows_of(4, 1)
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        write_pyramid(tmp_path / "slide.tiff", (1000, 1000), 0.5, failing())

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("is_big", [False, True])
def test_the_tags_say_what_the_tiles_are(tmp_path: Path, is_big: bool) -> None:
    with (tmp_path / "tags.tiff").open("wb") as file:
        writer = TiffWriter(file, is_big)
        writer.add_level((300, 200), 256, 0.25, [b"left", b"right"], is_reduced=False)
        writer.add_level((75, 50), 256, 1.0, [b"all"], is_reduced=True)

    with tifffile.TiffFile(tmp_path / "tags.tiff") as tiff:
        first, second = tiff.pages
        assert tiff.is_bigtiff == is_big
        assert (first.imagewidth, first.imagelength, first.compression, first.photometric) == (300, 200, 7, 6)
        assert [page.databytecounts for page in tiff.pages] == [(4, 5), (3,)]
        assert [page.tags["XResolution"].value for page in tiff.pages] == [(40000, 1), (10000, 1)]
        assert (first.subfiletype, second.subfiletype) == (0, 1)
