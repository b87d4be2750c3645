import struct
import zlib

import cv2
import numpy as np
import pytest

from histoserve.ensemble.decode import decode


def picture(side: int) -> np.ndarray:
    """A smooth RGB gradient, uint8 (side, side, 3)."""
    ramp = np.linspace(0, 255, side)
    return np.stack(np.broadcast_arrays(ramp[:, None], ramp[None, :], 128.0), -1).astype(np.uint8)


def encoded(image: np.ndarray, extension: str) -> bytes:
    return cv2.imencode(extension, image[..., ::-1])[1].tobytes()


def run(*tiles: bytes, side: int = 64, max_pixels: int = 10**6) -> np.ndarray:
    region = np.tile(np.array([[0, 0, 64, 64]], np.float32), (len(tiles), 1))
    return decode(np.array(tiles, object), region, identity=9, tile_px=side, max_pixels=max_pixels)["IMAGE"]


@pytest.mark.parametrize("extension", [".ppm", ".png", ".tiff", ".webp", ".bmp"])
def test_lossless_formats_give_the_pixels_back(extension: str) -> None:
    image = picture(64)
    found = run(encoded(image, extension))[0]
    assert np.abs(found.astype(int) - image).max() <= (8 if extension == ".webp" else 0)


@pytest.mark.parametrize("factor", [1, 2, 3, 8, 9])
def test_a_larger_jpeg_is_shrunk_without_a_shift(factor: int) -> None:
    small = cv2.resize(picture(64 * factor), (64, 64), interpolation=cv2.INTER_AREA)
    found = run(encoded(picture(64 * factor), ".jpg"))[0]
    assert np.abs(found.astype(int) - small).max() <= 8


def test_shrinking_is_antialiased() -> None:
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    assert np.abs(run(encoded(stripes, ".png"))[0].astype(int) - 127).max() <= 1


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to be huge."""
    size = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + size + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("tile", "message"),
    [
        (b"", "TILE 0 is empty"),
        (b"no picture at all", "no image that is known"),
        (encoded(picture(64), ".jpg")[:-400], "TILE 0: JPEG .* truncated"),
        (encoded(picture(64), ".png")[:-100], "TILE 0: PNG .* truncated"),
        (encoded(picture(64), ".ppm")[:-100], "TILE 0: PPM .* truncated"),
        (bomb(100_000, 100_000), "TILE 0 is 100000 x 100000"),
        (bomb(100_000, 100_000)[:33], "end within its header"),
    ],
    ids=["empty", "text", "cut jpeg", "cut png", "cut ppm", "bomb", "only a header"],
)
def test_what_is_no_whole_image_is_refused(tile: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(tile)


@pytest.mark.parametrize("region", [[[np.nan, 0, 1, 1]], [[0, 0, 0, 5]], [[0, 0, 1, 1]] * 2, [[0, 0, 1]]])
def test_a_bad_region_is_refused(region: list) -> None:
    with pytest.raises(ValueError, match="REGION"):
        decode(
            np.array([encoded(picture(8), ".png")], object),
            np.array(region, np.float32),
            identity=9,
            tile_px=8,
            max_pixels=99,
        )


def test_no_tiles_give_no_images() -> None:
    assert run(side=32).shape == (0, 32, 32, 3)
