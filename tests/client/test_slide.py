"""Opening and reading slides, whole and damaged."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import openslide
import pytest
import tifffile
from numpy.typing import NDArray

from histoserve.client.errors import SlideError, UnreadableRegion
from histoserve.client.slide import open_slide

RAMP = (np.indices((50, 70)).transpose(1, 2, 0)[..., [1, 0, 1]] * (3, 4, 1)).astype(np.uint8)
"""RGB whose red is 3 x, green 4 y, blue x."""


def write_pyramid(path: Path, mpp: float, side: int = 2048) -> None:
    """Tiled, two levels of random blocks, resolution as in a generic TIFF."""
    blocks = np.random.default_rng(0).integers(0, 200, (side // 64, side // 64, 3), np.uint8)
    image = blocks.repeat(64, 0).repeat(64, 1)
    with tifffile.TiffWriter(path) as tiff:
        for level, pixels in enumerate((image, image[::4, ::4])):
            per_cm = 1e4 / mpp / 4**level
            tiff.write(
                pixels, tile=(256, 256), resolution=(per_cm, per_cm), resolutionunit="CENTIMETER", subfiletype=level
            )


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp.png"])
def test_a_plain_image_is_read_as_it_is(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"ramp{suffix}"
    cv2.imwrite(str(path), RAMP[..., ::-1])

    with open_slide(path) as slide:
        assert (slide.l0_size, slide.stated_mpp, slide.downsamples) == ((70, 50), None, (1.0,))
        np.testing.assert_array_equal(slide.read((10, 20, 8, 6), 0), RAMP[20:26, 10:18])


def test_beyond_a_plain_image_is_white(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "ramp.png"), RAMP[..., ::-1])

    pixels = open_slide(tmp_path / "ramp.png").read((-2, 40, 100, 20), 0)

    np.testing.assert_array_equal(pixels[:10, 2:72], RAMP[40:])
    assert (pixels[10:] == 255).all()
    assert (pixels[:, :2] == 255).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_and_deep_images_become_rgb(tmp_path: Path, dtype: type) -> None:
    full: NDArray = np.full((9, 9), np.iinfo(dtype).max, dtype)
    tifffile.imwrite(tmp_path / "grey.tif", full)

    assert (open_slide(tmp_path / "grey.tif").read((0, 0, 9, 9), 0) == 255).all()


def test_transparent_pixels_are_white(tmp_path: Path) -> None:
    bgra = np.zeros((4, 4, 4), np.uint8)
    bgra[1, 1] = (10, 20, 30, 255)
    bgra[2, 2] = (0, 0, 0, 51)
    cv2.imwrite(str(tmp_path / "glass.png"), bgra)

    pixels = open_slide(tmp_path / "glass.png").read((0, 0, 4, 4), 0)

    assert [pixels[i, i].tolist() for i in range(3)] == [[255] * 3, [30, 20, 10], [204] * 3]


def test_the_next_finer_level_is_chosen(tmp_path: Path) -> None:
    write_pyramid(tmp_path / "slide.tif", 0.25)

    with open_slide(tmp_path / "slide.tif") as slide:
        assert slide.stated_mpp == pytest.approx((0.25, 0.25))
        assert [slide.level_for(downsample) for downsample in (0.5, 1, 3.9, 3.99, 4, 9)] == [0, 0, 0, 1, 1, 1]
        assert slide.read((0, 0, 512, 256), 1).shape == (64, 128, 3)


def test_a_region_is_the_same_from_any_thread(tmp_path: Path) -> None:
    write_pyramid(tmp_path / "slide.tif", 0.25)
    regions = [(x, y, 300, 300) for x in range(0, 1700, 400) for y in range(0, 1700, 400)]

    with open_slide(tmp_path / "slide.tif") as slide, ThreadPoolExecutor(4) as threads:
        alone = [slide.read(region, 0) for region in regions]
        together = list(threads.map(lambda region: slide.read(region, 0), regions))

    np.testing.assert_array_equal(alone, together)


def test_one_bad_region_does_not_spoil_the_others(tmp_path: Path) -> None:
    write_pyramid(tmp_path / "slide.tif", 0.25)
    data = bytearray((tmp_path / "slide.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "slide.tif") as tiff:
        tag = tiff.pages[0].tags["TileOffsets"]
    data[tag.valueoffset : tag.valueoffset + 4] = (2**31).to_bytes(4, "little")
    (tmp_path / "slide.tif").write_bytes(data)

    with open_slide(tmp_path / "slide.tif") as slide:
        with pytest.raises(UnreadableRegion, match="x 10, y 10"):
            slide.read((10, 10, 50, 50), 0)
        assert slide.read((1000, 1000, 50, 50), 0).shape == (50, 50, 3)


def test_what_is_no_slide_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "notes.svs").write_text("not a slide")
    (tmp_path / "empty.tif").touch()

    for path, words in {
        tmp_path / "missing.svs": "does not exist",
        tmp_path: "is a folder",
        tmp_path / "notes.svs": "neither a slide",
        tmp_path / "empty.tif": "empty",
    }.items():
        with pytest.raises(SlideError, match=words):
            open_slide(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_an_image_cut_short_is_refused(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    data = cv2.imencode(suffix, noise)[1].tobytes()
    (tmp_path / f"cut{suffix}").write_bytes(data[: len(data) // 2])

    with pytest.raises(SlideError, match="cut short"):
        open_slide(tmp_path / f"cut{suffix}")


def test_a_real_slide_is_read_as_openslide_reads_it(shared: Path) -> None:
    path = shared / "slides/CMU-1-Small-Region.svs"
    expected = np.asarray(openslide.OpenSlide(path).read_region((500, 700), 0, (64, 48)))[..., :3]

    with open_slide(path) as slide:
        assert (slide.l0_size, slide.stated_mpp, slide.objective_power) == ((2220, 2967), (0.499, 0.499), 20)
        np.testing.assert_array_equal(slide.read((500, 700, 64, 48), 0), expected)


@pytest.mark.parametrize("name", ["unopenable.tiff", "CMU-1-Small-Region.unsupported-compression.tiff"])
def test_a_damaged_slide_is_refused_when_opened(shared: Path, name: str) -> None:
    with pytest.raises(SlideError, match="cannot open"):
        open_slide(shared / "slides/damaged" / name)
