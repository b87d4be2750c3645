"""Each format: the right pixels, or a refusal that names what is not read."""

import io
import struct

import cv2
import numpy as np
import pytest
from mutants import chunk, interlaced, png
from PIL import Image

from histoserve.ensemble.picture import format_of

RGB = np.random.default_rng(1).integers(0, 256, (19, 13, 3), np.uint8)
SMOOTH = np.stack(np.broadcast_arrays(np.arange(32)[:, None] * 6, np.arange(24) * 8, 99), -1).astype(np.uint8)
WHITE = 255


def pixels(data: bytes) -> np.ndarray:
    form = format_of(data)
    return form.pixels(data, *form.header(data))


def saved(image: np.ndarray, form: str, mode: str | None = None, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).convert(mode or "RGB").save(file, form, **options)
    return file.getvalue()


def png_of(image: np.ndarray, colour: int, *more: bytes) -> bytes:
    lines = b"".join(b"\0" + line.tobytes() for line in image)
    return png(image.shape[1], image.shape[0], lines, *more, colour=colour)


def over_white(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    return np.round(rgb * (alpha / 255.0) + WHITE * (1 - alpha / 255.0)).astype(np.uint8)


def test_a_png_in_colour_grey_and_passes() -> None:
    assert (pixels(png_of(RGB, 2)) == RGB).all()
    assert (pixels(interlaced(RGB)) == RGB).all()
    assert (pixels(png_of(RGB[..., 0], 0)) == RGB[..., :1]).all()


def test_a_png_with_alpha_is_seen_over_white() -> None:
    alpha = RGB[::-1, :, :1]
    assert (pixels(png_of(np.concatenate((RGB, alpha), 2), 6)) == over_white(RGB, alpha)).all()
    assert (pixels(png_of(np.concatenate((RGB[..., :1], alpha), 2), 4)) == over_white(RGB[..., :1], alpha)).all()
    key = chunk(b"tRNS", struct.pack(">HHH", *RGB[3, 4]))
    assert (pixels(png_of(RGB, 2, key)) == np.where((RGB[3, 4] == RGB).all(2, keepdims=True), WHITE, RGB)).all()


def test_a_png_with_a_palette() -> None:
    index = RGB[..., 0] % 4
    colours = np.array([[1, 2, 3], [40, 50, 60], [7, 8, 9], [255, 0, 128]], np.uint8)
    palette, alpha = chunk(b"PLTE", colours.tobytes()), chunk(b"tRNS", bytes((255, 0, 128)))
    assert (pixels(png_of(index, 3, palette)) == colours[index]).all()
    seen = over_white(colours, np.array([[255], [0], [128], [255]]))
    assert (pixels(png_of(index, 3, palette, alpha)) == seen[index]).all()
    with pytest.raises(ValueError, match="colour beyond its palette of 3"):
        pixels(png_of(index, 3, chunk(b"PLTE", colours[:3].tobytes())))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (png(4, 4, bytes(100), depth=16), "a PNG of 16 bits a sample; wanted 8"),
        (png(4, 4, bytes(100), colour=0, depth=1), "a PNG of 1 bits a sample"),
        (png(4, 4, bytes(13 * 3)), "without exactly their data: truncated"),
        (png(4, 4, bytes(13 * 5)), "without exactly their data"),
        (png(9, 9, bytes(269), adam7=1), "without exactly their data"),
        (png(0, 4, b""), "makes no sense"),
        (png(4, 4, bytes(13 * 4)).replace(b"IDAT", b"IDAt"), "wrong checksum"),
        (png(4, 4, b"\5" + bytes(51)), "cannot be decoded"),
    ],
)
def test_another_png_is_refused_by_name(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pixels(data)


def test_each_changed_byte_of_a_png_is_noticed() -> None:
    data = png_of(RGB, 2)
    for position in range(len(data)):
        with pytest.raises(ValueError, match=r"PNG|no picture"):
            pixels(data[:position] + bytes((data[position] ^ 1,)) + data[position + 1 :])


def test_a_jpeg_in_colour_and_grey_whatever_its_order() -> None:
    for options in ({}, {"progressive": True}, {"keep_rgb": True}, {"restart_marker_blocks": 1}, {"subsampling": 0}):
        found = pixels(saved(SMOOTH, "JPEG", quality=98, **options))
        assert np.abs(found.astype(int) - SMOOTH).max() <= 6, options
    assert np.ptp(pixels(saved(SMOOTH, "JPEG", "L")), axis=2).max() == 0


def test_a_jpeg_decodes_to_the_bits_that_opencv_gives() -> None:
    data = saved(SMOOTH, "JPEG")
    assert (pixels(data)[..., ::-1] == cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)).all()


def test_an_orientation_is_not_obeyed() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert (pixels(saved(SMOOTH, "JPEG", exif=exif)) == pixels(saved(SMOOTH, "JPEG"))).all()


def frame(marker: int = 0xC0, precision: int = 8) -> bytes:
    """A JPEG that says to be of another kind."""
    data = saved(SMOOTH, "JPEG")
    at = data.index(b"\xff\xc0")
    return data[: at + 1] + bytes((marker, *data[at + 2 : at + 4], precision)) + data[at + 5 :]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (frame(precision=12), "a JPEG of 12 bits a sample; wanted 8"),
        (frame(0xC9), "not read, arithmetic-coded"),
        (frame(0xC3), "not read, lossless"),
        (frame(0xF7), "not read, JPEG-LS"),
        (saved(SMOOTH, "JPEG", "CMYK"), r"four colours \(CMYK\)"),
        (saved(SMOOTH, "JPEG").replace(b"\xff\xd9", b"\xff\xda\0\2" * 101 + b"\xff\xd9"), "more than 100 scans"),
    ],
)
def test_another_jpeg_is_refused_by_name(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pixels(data)


@pytest.mark.parametrize("damage", ["zeroed", "removed", "cut", "no end", "noise"])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_damaged_scan_is_not_filled_with_grey(damage: str, progressive: bool) -> None:
    data = saved(np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8), "JPEG", progressive=progressive)
    start, end = len(data) // 2, len(data) // 2 + 2000
    middle = {"zeroed": bytes(2000), "noise": b"\xc3\x5a" * 1000}.get(damage, b"")
    bad = {"cut": data[:start], "no end": data[:-2]}.get(damage, data[:start] + middle + data[end:])
    with pytest.raises(ValueError, match="truncated or corrupt"):
        pixels(bad)


@pytest.mark.parametrize("header", [b"P6\n13 19\n255\n", b"P6 # one\n # two\r13\t19 255 ", b"P6\n013 0019 255\n"])
def test_a_ppm_with_any_whitespace_and_comments(header: bytes) -> None:
    assert (pixels(header + RGB.tobytes()) == RGB).all()


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"P6 13 19 65535\n", "values up to 65535; wanted 255"),
        (b"P6 13 19 254\n", "values up to 254"),
        (b"P6 0 19 255\n", "PPM of 0 x 19"),
        (b"P6 13 20 255\n", "741 bytes for 780: truncated"),
        (b"P6 13 18 255\n", "741 bytes for 702: more than one picture"),
        (b"P6 -13 19 255\n", "header cannot be read"),
        (b"P6" + b" " * 2000 + b"13 19 255\n", "header cannot be read"),
    ],
)
def test_another_ppm_is_refused(header: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pixels(header + RGB.tobytes())


@pytest.mark.parametrize(
    ("form", "name"),
    [("TIFF", "TIFF"), ("WEBP", "WebP"), ("GIF", "GIF"), ("BMP", "BMP"), ("JPEG2000", "JPEG 2000")],
)
def test_formats_that_are_not_read_are_refused_by_name(form: str, name: str) -> None:
    with pytest.raises(ValueError, match=f"is {name}, which is not read; wanted JPEG, PNG, PPM"):
        format_of(saved(SMOOTH, form))
