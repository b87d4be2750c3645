import cv2
import numpy as np
import pytest
from mutants import png

from histoserve.ensemble.decode import decode
from histoserve.ensemble.windows import check_physical_size


def picture(side: int) -> np.ndarray:
    """A smooth RGB gradient, uint8 (side, side, 3)."""
    ramp = np.linspace(0, 255, side)
    return np.stack(np.broadcast_arrays(ramp[:, None], ramp[None, :], 128.0), -1).astype(np.uint8)


def encoded(image: np.ndarray, extension: str) -> bytes:
    return cv2.imencode(extension, image[..., ::-1])[1].tobytes()


BAD_MPP = (np.nan, 0.0, -0.25, np.inf)
ANY_MPP = np.array([np.nan], np.float32)
LIMITS = {"max_windows": 16, "max_tiles": 32, "max_pixels": 10**6}


def run(*tiles: bytes, side: int = 64, region: tuple[float, ...] = (0, 0, 64, 64), **limits: int) -> np.ndarray:
    """The windows that `tiles` show, one each, side by side from `region` on."""
    regions = np.array([region] * len(tiles), np.float32).reshape(-1, 4)
    regions[:, 0] += np.arange(len(tiles)) * region[2]
    given = {"identity": 9, "tile_px": side, **LIMITS, **limits}
    return decode(np.array(tiles, object), regions, regions, ANY_MPP, **given)["IMAGE"]


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
        (512, 200, (0, 0, 512, 200), "WINDOW 0 is 512 x 200 level-0 pixels; the network takes a square"),
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


def test_more_than_the_config_allows_is_refused_before_anything_is_allocated() -> None:
    with pytest.raises(
        ValueError, match=r"WINDOW is \[1000000, 4\]; wanted 1 to 16 in a request: send smaller batches"
    ):
        run(*[b""] * 10**6, side=4096)
    with pytest.raises(ValueError, match=r"TILE is \[17\]; wanted 1 to 9 in a request: send smaller batches"):
        run(*[b""] * 17, max_windows=32, max_tiles=9)


@pytest.mark.parametrize(
    "region", [[[np.nan, 0, 1, 1]], [[0, 0, 0, 5]], [[0, 0, 1, 1, 1]], [[0, 0, 1]], [[2e9, 0, 1, 1]]]
)
@pytest.mark.parametrize("name", ["REGION", "WINDOW"])
def test_a_bad_rectangle_is_refused(region: list, name: str) -> None:
    tile = np.array([encoded(picture(8), ".png")], object)
    rectangles = {"REGION": [[0, 0, 1, 1]], "WINDOW": [[0, 0, 1, 1]]}
    rectangles[name] = region
    given = (np.array(each, np.float32) for each in rectangles.values())
    with pytest.raises(ValueError, match=name):
        decode(tile, *given, ANY_MPP, identity=9, tile_px=8, **LIMITS)


def test_nothing_to_look_at_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match=r"WINDOW is \[0, 4\]; wanted 1 to 16 in a request$"):
        run()


@pytest.mark.parametrize(("side", "mpp"), [(512, 0.25), (257, 0.499), (256, 0.499), (29, 4.4), (500, 0.2556)])
def test_a_window_of_the_networks_physical_size_is_taken(side: int, mpp: float) -> None:
    window = np.array([[5, 5, side, side]], np.float32)
    check_physical_size(window.astype(float), np.array([mpp], np.float32), 512, 0.25)


@pytest.mark.parametrize(
    ("side", "mpp", "message"),
    [
        (
            1024,
            0.5,
            r"WINDOW 0 is 1024 x 1024 .* MPP 0.5 512 x 512 µm; .* 128 x 128 µm .*: send windows of 256 level-0",
        ),
        (512, 0.26, r"133.12 x 133.12 µm; .* 128 x 128 µm"),
        (512, 0.24, "128 x 128 µm"),
        *((512, mpp, r"MPP is .*; wanted µm per level-0 pixel .* finite and above 0") for mpp in BAD_MPP),
    ],
)
def test_a_window_of_another_physical_size_is_refused_with_both(side: int, mpp: float, message: str) -> None:
    window = np.array([[5, 5, side, side]], float)
    with pytest.raises(ValueError, match=message):
        check_physical_size(window, np.array([mpp], np.float32), 512, 0.25)
    check_physical_size(window, np.array([mpp], np.float32), 512, np.nan)
