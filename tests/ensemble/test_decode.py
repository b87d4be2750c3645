import cv2
import numpy as np
import pytest
from mutants import png

from histoserve.ensemble.decode import decode


def picture(side: int) -> np.ndarray:
    """A smooth RGB gradient, uint8 (side, side, 3)."""
    ramp = np.linspace(0, 255, side)
    return np.stack(np.broadcast_arrays(ramp[:, None], ramp[None, :], 128.0), -1).astype(np.uint8)


def encoded(image: np.ndarray, extension: str) -> bytes:
    return cv2.imencode(extension, image[..., ::-1])[1].tobytes()


def run(*tiles: bytes, side: int = 64, region: tuple[float, ...] = (0, 0, 64, 64), max_tiles: int = 16) -> np.ndarray:
    regions = np.tile(np.array([region], np.float32), (len(tiles), 1))
    return decode(np.array(tiles, object), regions, identity=9, tile_px=side, max_tiles=max_tiles, max_pixels=10**6)[
        "IMAGE"
    ]


@pytest.mark.parametrize("extension", [".ppm", ".png"])
def test_lossless_formats_give_the_pixels_back(extension: str) -> None:
    image = picture(64)
    assert (run(encoded(image, extension))[0] == image).all()


@pytest.mark.parametrize("factor", [1, 2, 3, 8, 9])
def test_a_larger_jpeg_is_shrunk_without_a_shift(factor: int) -> None:
    small = cv2.resize(picture(64 * factor), (64, 64), interpolation=cv2.INTER_AREA)
    found = run(encoded(picture(64 * factor), ".jpg"))[0]
    assert np.abs(found.astype(int) - small).max() <= 8


def test_shrinking_is_antialiased() -> None:
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    assert np.abs(run(encoded(stripes, ".png"))[0].astype(int) - 127).max() <= 1


@pytest.mark.parametrize(
    ("tile", "message"),
    [
        (b"", "TILE 0 is empty; wanted .* JPEG, PNG, PPM"),
        (b"no picture at all", r"TILE 0 \(17 bytes starting with b'no p'\) is no picture that is known"),
        (encoded(picture(64), ".jpg")[:-400], "TILE 0 is a JPEG .* truncated"),
        (encoded(picture(64), ".png")[:-100], "TILE 0 is a PNG .* truncated"),
        (encoded(picture(64), ".ppm")[:-100], "TILE 0 is a PPM .* truncated"),
        (png(100_000, 100_000, bytes(1000)), "TILE 0 is 100000 x 100000 = 10000000000 pixels .* at most 1000000"),
        (png(100_000, 100_000, b"")[:33], "TILE 0 is a PNG .* without its end"),
    ],
    ids=["empty", "text", "cut jpeg", "cut png", "cut ppm", "bomb", "only a header"],
)
def test_what_is_no_whole_image_is_refused(tile: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(tile)


def test_the_tile_that_is_to_blame_is_named() -> None:
    good = encoded(picture(8), ".png")
    with pytest.raises(ValueError, match="TILE 2 is empty"):
        run(good, good, b"", good)


@pytest.mark.parametrize(
    ("width", "height", "region", "message"),
    [
        (512, 200, (0, 0, 512, 200), "TILE 0 is 512 x 200 pixels and its REGION 512 x 200; the network takes a square"),
        (512, 200, (0, 0, 512, 512), "512 x 200 pixels and its REGION 512 x 512, another shape"),
        (512, 512, (0, 0, 512, 200), "another shape"),
        (200, 512, (0, 0, 512, 512), "another shape"),
        (512, 506, (0, 0, 512, 506), "takes a square"),
        (512, 512, (0, 0, 520, 512), "another shape"),
        (64, 1, (0, 0, 1e-3, 1), "another shape"),
    ],
)
def test_nothing_is_stretched(width: int, height: int, region: tuple[float, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(encoded(np.zeros((height, width, 3), np.uint8), ".ppm"), region=region)


@pytest.mark.parametrize(
    ("width", "height", "region"),
    [
        (512, 508, (0, 0, 512, 508)),
        (33, 32, (0, 0, 130, 129)),
        (33, 32, (0, 0, 132, 128)),
        (256, 256, (-9, 3, 514, 512)),
    ],
)
def test_what_was_rounded_to_whole_pixels_is_taken(width: int, height: int, region: tuple[float, ...]) -> None:
    assert run(encoded(np.zeros((height, width, 3), np.uint8), ".ppm"), region=region).shape == (1, 64, 64, 3)


def test_more_tiles_than_the_config_allows_are_refused_before_anything_is_allocated() -> None:
    with pytest.raises(ValueError, match=r"TILE is \[1000000\]; wanted \[N\], at most 16"):
        run(*[b""] * 10**6, side=4096)


@pytest.mark.parametrize(
    "region", [[[np.nan, 0, 1, 1]], [[0, 0, 0, 5]], [[0, 0, 1, 1]] * 2, [[0, 0, 1]], [[2e9, 0, 1, 1]]]
)
def test_a_bad_region_is_refused(region: list) -> None:
    tile = np.array([encoded(picture(8), ".png")], object)
    with pytest.raises(ValueError, match="REGION"):
        decode(tile, np.array(region, np.float32), identity=9, tile_px=8, max_tiles=1, max_pixels=99)


def test_no_tiles_give_no_images() -> None:
    assert run(side=32).shape == (0, 32, 32, 3)
