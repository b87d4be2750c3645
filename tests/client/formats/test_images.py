"""PNG and JPEG: what their headers say is what comes out, and damage is found."""

import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from histoserve.client.errors import SlideError
from histoserve.client.slide import Slide, open_slide

Y, X = np.mgrid[:90, :140]
PIXELS = np.dstack([X + 40, 2 * Y + 20, (X + Y) // 2 + 60]).astype(np.uint8)
PICTURE = Image.fromarray(PIXELS)


def whole(slide: Slide) -> NDArray[np.int64]:
    return slide.read((0, 0, *slide.l0_size), 0).astype(int)


def over_white(path: Path) -> NDArray[np.int64]:
    """As Pillow reads it."""
    rgba = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGBA")).astype(int)
    return (rgba[..., :3] * rgba[..., 3:] + 255 * (255 - rgba[..., 3:]) + 127) // 255


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA"])
@pytest.mark.parametrize("extra", [{}, {"transparency": 90}])
def test_every_kind_of_png_is_read_as_another_reader_reads_it(tmp_path: Path, mode: str, extra: dict[str, Any]) -> None:
    if extra and mode == "RGB":
        extra = {"transparency": tuple(PIXELS[5, 5].tolist())}
    PICTURE.convert(mode).save(tmp_path / "a.png", **(extra if mode in ("L", "P", "RGB") else {}))

    with open_slide(tmp_path / "a.png") as slide:
        np.testing.assert_array_equal(whole(slide), over_white(tmp_path / "a.png"))


def test_deep_pngs_are_scaled_only_where_they_use_their_depth(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "deep.png"), PIXELS[..., ::-1].astype(np.uint16) * 257)
    cv2.imwrite(str(tmp_path / "twelve.png"), PIXELS[..., ::-1].astype(np.uint16) * 16)

    np.testing.assert_array_equal(whole(open_slide(tmp_path / "deep.png")), PIXELS)
    with pytest.raises(SlideError, match="16 bits of which 12 are used"):
        open_slide(tmp_path / "twelve.png")


@pytest.mark.parametrize(
    ("mode", "options"),
    [("RGB", {}), ("RGB", {"progressive": True}), ("RGB", {"subsampling": 2, "optimize": True}), ("L", {}),
     ("RGB", {"keep_rgb": True}), ("RGB", {"restart_marker_rows": 1})],
)  # fmt: skip
def test_every_kind_of_jpeg_is_read_as_another_reader_reads_it(
    tmp_path: Path, mode: str, options: dict[str, Any]
) -> None:
    PICTURE.convert(mode).save(tmp_path / "a.jpg", quality=95, **options)

    assert np.abs(whole(open_slide(tmp_path / "a.jpg")) - over_white(tmp_path / "a.jpg")).max() <= 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_exif_turns_the_picture_and_that_is_said(tmp_path: Path, suffix: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    PICTURE.save(tmp_path / f"a{suffix}", exif=exif)

    with open_slide(tmp_path / f"a{suffix}") as slide:
        assert np.abs(whole(slide) - over_white(tmp_path / f"a{suffix}")).max() <= 3
        assert bool(slide.warnings) == (orientation != 1)


def png_header(width: int, height: int) -> bytes:
    content = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + content + struct.pack(">I", zlib.crc32(content))


def test_what_is_not_supported_is_named_before_anything_is_decoded(tmp_path: Path) -> None:
    PICTURE.convert("CMYK").save(tmp_path / "cmyk.jpg")
    PICTURE.save(tmp_path / "moving.png", save_all=True, append_images=[Image.fromarray(255 - PIXELS)])
    PICTURE.convert("RGBA").point(lambda value: 0).save(tmp_path / "clear.png")
    (tmp_path / "huge.png").write_bytes(png_header(100_000, 100_000) + bytes(50))
    (tmp_path / "none.png").write_bytes(png_header(0, 7) + bytes(50))
    jpeg = bytearray(cv2.imencode(".jpg", PIXELS)[1].tobytes())
    size = jpeg.index(b"\xff\xc0") + 5
    (tmp_path / "huge.jpg").write_bytes(jpeg[:size] + b"\xff\xff\xff\xff" + jpeg[size + 4 :])
    for name, words in {
        "cmyk.jpg": "4 components",
        "moving.png": "animated",
        "clear.png": "transparent everywhere",
        "huge.png": "100000×100000 px, more than",
        "none.png": "0×7",
        "huge.jpg": "65535×65535 px, more than",
    }.items():
        with pytest.raises(SlideError, match=words):
            open_slide(tmp_path / name)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_an_image_cut_anywhere_is_refused(tmp_path: Path, suffix: str) -> None:
    data = cv2.imencode(suffix, PIXELS)[1].tobytes()
    for length in range(8, len(data), max(1, len(data) // 40)):
        (tmp_path / f"cut{suffix}").write_bytes(data[:length])
        with pytest.raises(SlideError, match="damaged"):
            open_slide(tmp_path / f"cut{suffix}")


@pytest.mark.parametrize("length", [64, 400, 2000])
def test_zeroed_bytes_in_the_middle_of_a_jpeg_are_found(tmp_path: Path, length: int, capfd: Any) -> None:
    cells = np.random.default_rng(0).normal(150, 60, (160, 200, 3)).clip(0, 255).astype(np.uint8)
    picture = cv2.resize(cells, (800, 640), interpolation=cv2.INTER_CUBIC)
    data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
    for start in range(len(data) // 8, len(data) - length, len(data) // 8):
        (tmp_path / "a.jpg").write_bytes(data[:start] + bytes(length) + data[start + length :])
        with pytest.raises(SlideError, match="damaged or cut short \\("):
            open_slide(tmp_path / "a.jpg")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"progressive": True}, {"subsampling": 0}])
def test_bare_glass_is_no_damage(tmp_path: Path, options: dict[str, Any]) -> None:
    for grey in (0, 242, 255):
        Image.new("RGB", (1200, 1000), (grey, grey, grey)).save(tmp_path / "a.jpg", **options)
        assert abs(whole(open_slide(tmp_path / "a.jpg")) - grey).max() <= 1
