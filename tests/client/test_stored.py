"""The slide's own JPEGs show what OpenSlide shows, and windows made of them are those of its pixels, bit for bit."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from histoserve.client.errors import UnreadableRegion
from histoserve.client.formats.jpeg import decoded_jpeg
from histoserve.client.grid import PlannedTile, grid, tile_size
from histoserve.client.slide import Slide, open_slide
from histoserve.client.stream import FailedTile
from histoserve.client.travel.block import Block
from histoserve.client.travel.encode import Encoding, encode
from histoserve.client.travel.neighbours import by_neighbours, hilbert_index
from histoserve.client.travel.reading import Pixels
from histoserve.client.travel.stored_reader import Stored
from histoserve.ensemble.decode import decode

SIDE = 64
"""Of a stored tile, px."""

Coded = Callable[[NDArray[np.uint8]], bytes]
"""A tile (64, 64, 3) as a file holds it."""


def scene(width: int, height: int) -> NDArray[np.uint8]:
    """RGB with colours in every place, so that a shift by a pixel or mistaken colours show."""
    blobs = np.random.default_rng(5).integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
    return cv2.resize(blobs, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


def coded(tile: NDArray[np.uint8], *options: int) -> bytes:
    return cv2.imencode(".jpg", np.ascontiguousarray(tile[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 80, *options])[
        1
    ].tobytes()


def as_rgb(tile: NDArray[np.uint8]) -> bytes:
    """Red, green and blue stored as such, with the marker that says so."""
    turned = cv2.cvtColor(tile, cv2.COLOR_YCrCb2RGB)[..., ::-1]
    data = coded(np.ascontiguousarray(turned[..., ::-1]), cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111)
    return data[:2] + b"\xff\xee\x00\x0eAdobe\x00\x64\0\0\0\0\0" + data[2:]


def grey(tile: NDArray[np.uint8]) -> bytes:
    return cv2.imencode(".jpg", np.ascontiguousarray(tile[..., 1]))[1].tobytes()


def cmyk(tile: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.dstack([tile, tile[..., 0]]), "CMYK").save(file, "jpeg")
    return file.getvalue()


def cut_short(tile: NDArray[np.uint8]) -> bytes:
    data = coded(tile)
    return data[: 2 * len(data) // 3]


def garbled(tile: NDArray[np.uint8]) -> bytes:
    """Markers as they should be, and a scan that means nothing."""
    data = bytearray(coded(tile))
    start = data.rfind(b"\xff\xda") + 40
    data[start : start + 60] = b"\xff\x00" * 30
    return bytes(data)


def smaller(tile: NDArray[np.uint8]) -> bytes:
    return coded(tile[:32, :32])


ODD: dict[str, Coded] = {
    "of other tables": lambda tile: coded(tile, cv2.IMWRITE_JPEG_QUALITY, 30),
    "of another sampling": lambda tile: coded(tile, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111),
    "progressive": lambda tile: coded(tile, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "with restarts": lambda tile: coded(tile, cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
    "of other colours": as_rgb,
    "grey": grey,
    "CMYK": cmyk,
    "cut short": cut_short,
    "garbled": garbled,
    "smaller": smaller,
    "no JPEG": lambda tile: b"no JPEG at all",
    "empty": lambda tile: b"",
}


def slide_of(path: Path, image: NDArray[np.uint8], odd: Coded | None = None) -> Path:
    """A tiled TIFF of JPEGs; its fifth tile is coded by `odd`."""
    height, width = image.shape[:2]
    whole = np.pad(image, ((0, -height % SIDE), (0, -width % SIDE), (0, 0)), mode="edge")
    tiles = [whole[y : y + SIDE, x : x + SIDE] for y in range(0, height, SIDE) for x in range(0, width, SIDE)]
    data = [odd(tile) if odd and number == 4 else coded(tile) for number, tile in enumerate(tiles)]
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(iter(data), shape=image.shape, dtype=np.uint8, tile=(SIDE, SIDE), photometric="ycbcr",
                   compression="jpeg", subsampling=(2, 2), metadata=None)  # fmt: skip
    return path


def pixels_of(slide: Slide) -> Pixels:
    return Pixels(lambda tile: encode(slide.read(tile.region, 0), Encoding()))


def windows(blocks: Sequence[Block | FailedTile], tile_px: int) -> dict[int, Any]:
    """What the decoding stage makes of each tile; of one that could not be read why, of one that is refused None."""
    seen: dict[int, Any] = {}
    for block in blocks:
        if isinstance(block, FailedTile):
            seen[block.tile.index] = block.reason
            continue
        for part in [block] if len(block.tiles) == 1 else [block, *block.singles()]:
            inputs = part.inputs(0.25)
            tiles = np.array([*inputs["TILE"], b""], object)[:-1]
            limits = {"identity": 0, "tile_px": tile_px, "max_windows": 512, "max_tiles": 512, "max_pixels": 2**26}
            try:
                images = decode(tiles, inputs["REGION"], inputs["WINDOW"], inputs["MPP"], **limits)["IMAGE"]
            except ValueError:
                seen.update({tile.index: None for tile in part.tiles if tile.index not in seen})
                continue
            for tile, image in zip(part.tiles, images, strict=True):
                assert seen.get(tile.index) is None or np.array_equal(seen[tile.index], image)
                seen[tile.index] = image
    return seen


def all_read(reader: Any, tiles: Sequence[PlannedTile], tile_px: int) -> dict[int, Any]:
    """As a session does: what the server refuses is read in another way."""
    seen: dict[int, Any] = {}
    while tiles:
        seen.update(windows([each for group in reader.groups(tiles) for each in reader.read(group)], tile_px))
        by_index = {tile.index: tile for tile in tiles}
        refused = [FailedTile(by_index[i], "refused", "server") for i in by_index if seen[i] is None]
        tiles = reader.another_way(refused)
    return seen


def assert_same(one: dict[int, Any], other: dict[int, Any]) -> None:
    assert one.keys() == other.keys()
    for index in one:
        np.testing.assert_array_equal(one[index], other[index])


@pytest.mark.parametrize(("tile_px", "margin"), [(96, 16), (SIDE, 0), (40, 3), (200, 30)])
@pytest.mark.parametrize("size", [(700, 500), (SIDE * 6, SIDE * 5), (90, 70)])
def test_windows_made_of_stored_tiles_are_those_of_pixels(
    tmp_path: Path, size: tuple[int, int], tile_px: int, margin: int
) -> None:
    with open_slide(slide_of(tmp_path / "a.tif", scene(*size))) as slide:
        tiles = list(grid(*slide.l0_size, tile_size(tile_px, 0.25, margin, 0.25)))
        stored = slide.stored(0)
        assert stored is not None
        reader = Stored(slide, 0, stored, pixels_of(slide), 9)
        # The network looks at half of the pixels, so that windows are resized too.
        for side in (tile_px, tile_px // 2):
            assert_same(all_read(reader, tiles, side), all_read(pixels_of(slide), tiles, side))
        stored.close()
        assert reader.difference(tiles) is None if min(size) >= tile_px else True
        assert reader.told() is None


@pytest.mark.parametrize("kind", ODD)
def test_an_odd_tile_among_others_is_sent_as_pixels_or_as_exactly(tmp_path: Path, kind: str) -> None:
    with open_slide(slide_of(tmp_path / "a.tif", scene(400, 300), ODD[kind])) as slide:
        tiles = list(grid(*slide.l0_size, tile_size(80, 0.25, 8, 0.25)))
        stored = slide.stored(0)
        assert stored is not None
        reader = Stored(slide, 0, stored, pixels_of(slide), 9)
        assert_same(all_read(reader, tiles, 80), all_read(pixels_of(slide), tiles, 80))
        stored.close()
        told = reader.told()
    exact = {"of other tables", "of another sampling", "of other colours", "progressive", "with restarts"}
    assert (told is None) == (kind in exact), told


def test_a_page_whose_colours_are_not_its_tiles_is_not_exact(tmp_path: Path) -> None:
    path = slide_of(tmp_path / "a.tif", scene(400, 300))
    # Photometric interpretation, a SHORT of one: YCbCr becomes RGB.
    data = path.read_bytes()
    for order in ("little", "big"):
        entry = b"".join(n.to_bytes(size, order) for n, size in ((262, 2), (3, 2), (1, 4), (6, 2)))
        data = data.replace(entry, entry[:-2] + (2).to_bytes(2, order))
    assert data != path.read_bytes()
    path.write_bytes(data)
    with open_slide(path) as slide:
        tiles = list(grid(*slide.l0_size, tile_size(80, 0.25, 8, 0.25)))
        stored = slide.stored(0)
        assert stored is not None
        reader = Stored(slide, 0, stored, pixels_of(slide), 9)
        # Whichever way the page is understood, OpenSlide and the JPEG must agree, or pixels travel.
        if reader.difference(tiles) is None:
            assert_same(all_read(reader, tiles, 80), all_read(pixels_of(slide), tiles, 80))
        stored.close()


def test_what_is_no_pyramid_of_jpegs_has_no_stored_tiles(tmp_path: Path) -> None:
    image = scene(300, 200)
    tifffile.imwrite(tmp_path / "plain.tif", image, tile=(64, 64), photometric="rgb", metadata=None)
    cv2.imwrite(str(tmp_path / "a.png"), image)
    for name in ("plain.tif", "a.png"):
        with open_slide(tmp_path / name) as slide:
            assert slide.stored(0) is None


@pytest.mark.parametrize(
    ("file", "count"),
    [("CMU-1-Small-Region.svs", 130), ("dicom_jpeg/multi_frame_jpeg_camelyon_challenge_image.dcm", 15)],
)
def test_every_stored_tile_of_real_slides_is_what_openslide_shows(shared: Path, file: str, count: int) -> None:
    with open_slide(shared / "slides" / file) as slide:
        stored = slide.stored(0)
        assert stored is not None
        seen = 0
        for place in stored.lattice.places_in((0, 0, *slide.l0_size)):
            x, y, width, height = stored.lattice.l0_region(place)
            inside = min(width, slide.l0_size[0] - x), min(height, slide.l0_size[1] - y)
            decoded = decoded_jpeg("tile", stored.jpeg(place))[: inside[1], : inside[0]]
            seen += np.array_equal(decoded, slide.read((x, y, *inside), 0))
        stored.close()
    assert seen == count


@pytest.mark.parametrize("file", ["TCGA-CR-7395-01A-01-TS1.svs"])
def test_jpeg_2000_travels_as_pixels(shared: Path, file: str) -> None:
    with open_slide(shared / "slides" / file) as slide:
        assert [slide.stored(level) for level in range(len(slide.downsamples))] == [None, None]


def test_a_file_that_goes_away_costs_its_tiles_only(tmp_path: Path) -> None:
    path = slide_of(tmp_path / "a.tif", scene(400, 300))
    with open_slide(path) as slide:
        stored = slide.stored(0)
        assert stored is not None
        tiles = list(grid(*slide.l0_size, tile_size(80, 0.25, 8, 0.25)))
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size // 2)
        reader = Stored(slide, 0, stored, pixels_of(slide), 100)
        blocks = reader.read(tiles)
        stored.close()
    shared = [tile for block in blocks if isinstance(block, Block) and block.shared for tile in block.tiles]
    others = [tile for each in blocks for tile in ([each.tile] if isinstance(each, FailedTile) else each.tiles)]
    assert 0 < len(shared) < len(tiles)
    assert sorted(tile.index for tile in others) == [tile.index for tile in tiles]
    assert reader.told() is not None


@pytest.mark.parametrize("side", [1, 2, 3, 8, 13])
def test_a_run_of_neighbours_is_a_compact_patch(side: int) -> None:
    columns, rows = (each.ravel() for each in np.meshgrid(np.arange(side), np.arange(side)))
    index = hilbert_index(columns, rows)
    assert len(set(index.tolist())) == side * side
    tiles = [
        PlannedTile(i, (int(x) * 7, int(y) * 7, 9, 9), (0, 0, 1, 1))
        for i, (x, y) in enumerate(zip(columns, rows, strict=True))
    ]
    ordered = [tiles[i] for i in by_neighbours(tiles).tolist()]
    assert sorted(tile.index for tile in ordered) == list(range(side * side))
    if side == 8:
        places = np.array([tile.region[:2] for tile in ordered]) // 7
        assert (np.abs(np.diff(places, axis=0)).sum(axis=1) == 1).all()
        for start in range(0, 64, 16):
            assert (np.ptp(places[start : start + 16], axis=0) == 3).all()


def test_no_tiles_have_an_order() -> None:
    assert by_neighbours([]).tolist() == []


def test_an_unreadable_place_is_told_as_before(tmp_path: Path) -> None:
    def read(tile: PlannedTile) -> bytes:
        raise UnreadableRegion("damaged")

    with open_slide(slide_of(tmp_path / "a.tif", scene(400, 300), ODD["empty"])) as slide:
        stored = slide.stored(0)
        assert stored is not None
        tiles = list(grid(*slide.l0_size, tile_size(80, 0.25, 8, 0.25)))
        blocks = Stored(slide, 0, stored, Pixels(read), 100).read(tiles)
        stored.close()
    failed = [each for each in blocks if isinstance(each, FailedTile)]
    assert failed
    assert {each.reason for each in failed} == {"damaged"}
    assert sum(len(each.tiles) for each in blocks if isinstance(each, Block)) == len(tiles) - len(failed)
