"""TIFFs by what their tags say: the picture, or a refusal that names the property."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from histoserve.client.errors import SlideError, UnreadableRegion
from histoserve.client.formats import plain
from histoserve.client.formats.plain import PlainImage
from histoserve.client.formats.scanned import ScannedSlide
from histoserve.client.slide import Slide, open_slide

HEIGHT, WIDTH = 96, 150
LAYOUTS: dict[str, dict[str, Any]] = {"strips": {"rowsperstrip": 20}, "tiles": {"tile": (64, 64)}}


def picture() -> NDArray[np.uint8]:
    """RGB that is smooth, so that JPEG keeps it, and differs in every quarter turn and mirror image."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.dstack([x + 40, 2 * y + 20, (x + y) // 2 + 60]).astype(np.uint8)


GRAY = picture()[..., 0]
CLEAR = np.where(np.arange(HEIGHT)[:, None] < 30, 0, 255).astype(np.uint8) * np.ones((1, WIDTH), np.uint8)
TWELVE_BITS = (picture().astype(np.uint32) * 4095 // 255).astype(np.uint16)
OVER_WHITE = np.where(CLEAR[..., None] == 0, 255, picture()).astype(np.uint8)


def written(path: Path, pixels: NDArray, layout: str = "strips", **tags: Any) -> Path:
    tifffile.imwrite(path, pixels, **{"photometric": "rgb", "metadata": None, **LAYOUTS[layout], **tags})
    return path


def whole(slide: Slide) -> NDArray[np.uint8]:
    return slide.read((0, 0, *slide.l0_size), 0)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("predictor", [False, True])
@pytest.mark.parametrize("compression", [None, "lzw", "deflate", "packbits"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_what_was_written_is_read(
    tmp_path: Path, layout: str, predictor: bool, compression: str | None, byteorder: str
) -> None:
    predictor = predictor and compression in ("lzw", "deflate")
    tags = {"compression": compression, "predictor": predictor, "byteorder": byteorder, "bigtiff": byteorder == ">"}
    with open_slide(written(tmp_path / "a.tif", picture(), layout, **tags)) as slide:
        np.testing.assert_array_equal(whole(slide), picture())
    with open_slide(written(tmp_path / "b.tif", picture().astype(np.uint16) * 257, layout, **tags)) as slide:
        np.testing.assert_array_equal(whole(slide), picture())


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("pixels", "tags", "expected"),
    [
        (np.moveaxis(picture(), 2, 0), {"planarconfig": "separate"}, picture()),
        (GRAY, {"photometric": "minisblack"}, np.dstack([GRAY] * 3)),
        (255 - GRAY, {"photometric": "miniswhite"}, np.dstack([GRAY] * 3)),
        (GRAY, {"photometric": "palette", "colormap": np.stack([np.arange(256) * 257] * 3).astype(np.uint16)},
         np.dstack([GRAY] * 3)),
        (np.dstack([picture(), CLEAR]), {"extrasamples": ["unassalpha"]}, OVER_WHITE),
        (np.dstack([np.where(CLEAR[..., None] == 0, 0, picture()), CLEAR]), {"extrasamples": ["assocalpha"]},
         OVER_WHITE),
        (np.dstack([picture(), 0 * GRAY]), {"extrasamples": ["unspecified"]}, picture()),
        (TWELVE_BITS, {"extratags": [(281, "H", 3, (4095,) * 3, True)]}, picture()),
        (picture(), {"compression": "jpeg", "compressionargs": {"level": 98}}, picture()),
        (picture(), {"compression": "jpeg", "compressionargs": {"level": 98, "outcolorspace": "rgb"}}, picture()),
        (GRAY, {"photometric": "minisblack", "compression": "jpeg", "compressionargs": {"level": 98}},
         np.dstack([GRAY] * 3)),
    ],
)  # fmt: skip
def test_samples_are_understood_as_the_tags_say(
    tmp_path: Path, layout: str, pixels: NDArray, tags: dict[str, Any], expected: NDArray
) -> None:
    with open_slide(written(tmp_path / "a.tif", pixels, layout, **tags)) as slide:
        difference = np.abs(whole(slide).astype(int) - expected)
    # JPEG rings at the edge of the tiles' black padding.
    assert difference.mean() < 1 if "compression" in tags else difference.max() <= 1


UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_a_turned_image_is_put_upright_and_that_is_said(tmp_path: Path, layout: str, orientation: int) -> None:
    path = written(tmp_path / "a.tif", picture(), layout, extratags=[(274, "H", 1, orientation, True)])

    with open_slide(path) as slide:
        np.testing.assert_array_equal(whole(slide), UPRIGHT[orientation](picture()))
        assert bool(slide.warnings) == (orientation != 1)


DEEP = picture().astype(np.uint16) * 16


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("pixels", "tags", "words"),
    [
        (DEEP, {}, "16 bits of which 12 are used"),
        (picture().astype(np.uint32), {}, "32 bits"),
        (picture().astype(np.float32), {}, "format IEEEFP"),
        (picture().astype(np.int8), {}, "format INT"),
        (GRAY > 100, {"photometric": "minisblack"}, "1 bits a sample"),
        (np.dstack([picture(), GRAY]), {"photometric": "separated"}, "SEPARATED"),
        (picture(), {"photometric": "cielab"}, "CIELAB"),
        (picture(), {"photometric": "ycbcr"}, "YCBCR without JPEG"),
        (np.dstack([picture(), GRAY, GRAY]), {"extrasamples": ["unspecified"] * 2}, "5 samples"),
        (np.dstack([picture(), 0 * GRAY]), {"extrasamples": ["unassalpha"]}, "transparent everywhere"),
        (np.stack([picture()] * 3), {}, "3 pages that could each be the image"),
        (picture(), {"compression": "lzma"}, "LZMA|Unsupported TIFF compression: 34925"),
    ],
)
def test_what_is_not_understood_is_named(
    tmp_path: Path, layout: str, pixels: NDArray, tags: dict[str, Any], words: str
) -> None:
    with pytest.raises(SlideError, match=words) as refused:
        open_slide(written(tmp_path / "a.tif", pixels, layout, **tags))
    assert "\n" not in str(refused.value)


def test_the_large_page_is_the_image_whatever_its_place(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(picture()[::4, ::4], photometric="rgb", tile=(16, 16))
        tiff.write(picture(), photometric="rgb", tile=(64, 64))

    with open_slide(tmp_path / "a.tif") as slide:
        np.testing.assert_array_equal(whole(slide), picture())
        assert "number 2 (150×96)" in slide.warnings[0]


def test_only_a_sound_tiled_rgb_is_left_to_openslide(tmp_path: Path) -> None:
    assert isinstance(open_slide(written(tmp_path / "a.tif", picture(), "tiles")), ScannedSlide)
    assert isinstance(open_slide(written(tmp_path / "b.tif", picture(), "strips")), PlainImage)


def test_a_large_image_is_refused_before_it_takes_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain, "LARGEST_PX", 10_000)
    path = written(tmp_path / "a.tif", picture(), "tiles", extratags=[(274, "H", 1, 3, True)])

    with pytest.raises(SlideError, match=r"150×96 px, more than the 10000 .*orientation 3"):
        open_slide(path)


@pytest.mark.parametrize(("unit", "size"), [("µm", 0.25), ("nm", 250), ("mm", 0.00025), (None, 0.25)])
def test_ome_xml_says_how_large_a_pixel_is(tmp_path: Path, unit: str | None, size: float) -> None:
    units = {f"PhysicalSize{axis}Unit": unit for axis in "XY"} if unit else {}
    sizes = {f"PhysicalSize{axis}": size for axis in "XY"}
    for layout in LAYOUTS:
        path = written(tmp_path / f"{layout}.ome.tif", picture(), layout, metadata={"axes": "YXS", **sizes, **units})
        assert open_slide(path).stated_mpp == pytest.approx((0.25, 0.25))


def segment(path: Path, index: int) -> tuple[int, int]:
    """Where the file keeps a strip or tile of its first page: offset and length."""
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages[0]
        return page.dataoffsets[index], page.databytecounts[index]


def with_tag(path: Path, name: str, index: int, value: int) -> None:
    """Overwrites one number of a list in the first page's tags."""
    with tifffile.TiffFile(path) as tiff:
        tag = tiff.pages[0].tags[name]
        size = {3: 2, 4: 4}[tag.dtype]
        at = tag.valueoffset + index * size
    data = bytearray(path.read_bytes())
    data[at : at + size] = value.to_bytes(size, "little")
    path.write_bytes(data)


@pytest.mark.parametrize(("name", "value"), [("Offsets", 0), ("ByteCounts", 0), ("ByteCounts", 100)])
def test_a_tile_without_its_bytes_is_a_failed_region_and_such_a_strip_refused(
    tmp_path: Path, name: str, value: int
) -> None:
    tiles = written(tmp_path / "a.tif", picture(), "tiles")
    with_tag(tiles, f"Tile{name}", 0, value)
    with open_slide(tiles) as slide:
        with pytest.raises(UnreadableRegion, match="x 10, y 10"):
            slide.read((10, 10, 20, 20), 0)
        np.testing.assert_array_equal(slide.read((64, 64, 64, 32), 0), picture()[64:, 64:128])

    strips = written(tmp_path / "b.tif", picture(), "strips")
    with_tag(strips, f"Strip{name}", 1, value)
    with pytest.raises(SlideError, match=r"strip \(number 1\)"):
        open_slide(strips)


@pytest.mark.parametrize("compression", [None, "lzw", "deflate", "packbits", "jpeg"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_file_cut_anywhere_is_refused_or_whole(tmp_path: Path, layout: str, compression: str | None) -> None:
    data = written(tmp_path / "a.tif", picture(), layout, compression=compression).read_bytes()
    expected = whole(open_slide(tmp_path / "a.tif"))
    for length in range(1, len(data), len(data) // 25):
        (tmp_path / "cut.tif").write_bytes(data[:length])
        with suppress(SlideError), open_slide(tmp_path / "cut.tif") as slide:
            np.testing.assert_array_equal(whole(slide), expected)


@pytest.mark.parametrize("compression", ["deflate", "jpeg", "lzw", "packbits"])
def test_a_strip_damaged_within_is_refused(tmp_path: Path, compression: str) -> None:
    blocks = np.random.default_rng(0).integers(0, 256, (HEIGHT // 2, WIDTH // 2, 3), np.uint8).repeat(2, 0).repeat(2, 1)
    path = written(tmp_path / "a.tif", blocks, "strips", compression=compression)
    offset, length = segment(path, 2)
    data = bytearray(path.read_bytes())
    data[offset + length // 2 : offset + length // 2 + 400] = bytes(400)
    path.write_bytes(data)

    with pytest.raises(SlideError, match="damaged"):
        open_slide(path)
