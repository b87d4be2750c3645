"""Windows made of pictures: the same pixels however they were cut, and refused in words where they cannot be."""

import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoserve.ensemble.decode import decode

SLIDE = np.random.default_rng(8).integers(0, 255, (70, 90, 3)).astype(np.uint8)
"""RGB of a slide, 90 × 70 px."""
SIDE = 32
Rectangle = tuple[float, float, float, float]
Picture = tuple[bytes, Rectangle]


def ppm(rgb: np.ndarray) -> bytes:
    return cv2.imencode(".ppm", np.ascontiguousarray(rgb[..., ::-1]))[1].tobytes()


def part(x: int, y: int, width: int, height: int, l0_px: float = 1) -> Picture:
    """Of the slide, whose pixels have this size."""
    cut = SLIDE[y : y + height, x : x + width]
    return ppm(cut), (x * l0_px, y * l0_px, cut.shape[1] * l0_px, cut.shape[0] * l0_px)


def tiles(side: int, l0_px: float = 1) -> list[Picture]:
    """The whole slide, cut as scanners do."""
    return [part(x, y, side, side, l0_px) for y, x in itertools.product(range(0, 70, side), range(0, 90, side))]


def cut(x: int, y: int, side: int) -> np.ndarray:
    """As OpenSlide gives it: white beyond the slide."""
    padded = np.pad(SLIDE, ((50, 50), (50, 50), (0, 0)), constant_values=255)
    return padded[50 + y : 50 + y + side, 50 + x : 50 + x + side]


def windows(pictures: list[Picture], *window: Rectangle, **limits: int) -> np.ndarray:
    tile, regions = (list(each) for each in zip(*pictures, strict=True))
    rectangles = (np.array(each, np.float32) for each in (regions, window))
    given = {"tile_px": SIDE, "max_windows": 16, "max_tiles": 999, "max_pixels": 10**5, **limits}
    return decode(np.array(tile, object), *rectangles, np.array([np.nan], np.float32), identity=1, **given)["IMAGE"]


def sent_whole(x: int, y: int, side: int) -> np.ndarray:
    return windows([(ppm(cut(x, y, side)), (x, y, side, side))], (x, y, side, side))[0]


@settings(deadline=None, max_examples=60)
@given(
    st.integers(-20, 80), st.integers(-20, 60), st.integers(24, 50), st.sampled_from([16, 23, 24, 64]),
    st.sampled_from([1, 2, 4.0003, 3.9987]), st.randoms(),
)  # fmt: skip
def test_a_window_has_the_same_bits_however_its_pictures_were_cut_and_ordered(x, y, side, tile, l0_px, random) -> None:  # type: ignore[no-untyped-def]
    pictures = [
        (data, (rx, ry, w, h))
        for data, (rx, ry, w, h) in tiles(tile, l0_px)
        if rx < (x + side) * l0_px and ry < (y + side) * l0_px and rx + w > x * l0_px and ry + h > y * l0_px
    ]
    random.shuffle(pictures)
    found = (
        windows(pictures, tuple(each * l0_px for each in (x, y, side, side)))[0] if pictures else sent_whole(x, y, side)
    )
    assert (found == sent_whole(x, y, side)).all()


def test_many_windows_share_pictures_and_one_picture_holds_many_windows() -> None:
    places = [(x, y, SIDE, SIDE) for y in (0, 20, 38) for x in (0, 30, 58)]
    wanted = [cut(*each[:3]) for each in places]
    assert (windows(tiles(16), *places) == wanted).all()
    assert (windows([part(0, 0, 90, 70)], *places) == wanted).all()
    assert (windows([part(*each) for each in places], *places) == wanted).all()


def test_what_is_sent_twice_or_overlaps_is_the_same_where_it_shows_the_same() -> None:
    pictures = [*tiles(24), part(10, 7, 30, 30), part(3, 5, SIDE, SIDE)]
    places = [(x, y, SIDE, SIDE) for y in (5, 36) for x in (3, 30, 60)]
    for chosen in (pictures, pictures[::-1], pictures * 2):
        assert (windows(chosen, *places) == [cut(*each[:3]) for each in places]).all()


def test_what_lies_beside_a_window_by_a_last_bit_is_no_error() -> None:
    beside = [part(0, 0, 32, 32), part(32, 0, 16, 32)]
    assert (windows(beside, (0, 0, 31.99999, 31.99999))[0] == cut(0, 0, 32)).all()


JPEG = cv2.imencode(".jpg", SLIDE[:40, :40, ::-1])[1].tobytes()
DARK = ppm(np.zeros((32, 32, 3), np.uint8))
WHOLE = (0, 0, 32, 32)
BAD = {
    "two scales": (
        [part(0, 0, 32, 16), part(0, 16, 32, 16, 1.05)],
        WHOLE,
        "WINDOW 0: TILE . has .*one scale, within 1 %",
    ),
    "a level beside another": (
        [part(0, 0, 16, 32), part(8, 0, 8, 16, 2)],
        WHOLE,
        "TILE 1 has 0.5 .*TILE 0 1; .*stretched",
    ),
    "stretched": ([(ppm(SLIDE[:32, :16]), (0, 0, 24, 32))], WHOLE, "TILE 0 is 16 x 32 .* 24 x 32, another shape"),
    "apart": ([part(0, 0, 32, 32)], (40, 0, 32, 32), r"WINDOW 0 is \[40.0, .*no REGION lies in it"),
    "a picture elsewhere": (
        [*tiles(32), part(0, 0, 8, 8, 0.5)],
        (40, 32, 32, 32),
        r"REGION 0 is .*no WINDOW lies there",
    ),
    "no square": ([part(0, 0, 64, 64)], (0, 0, 32, 36), "WINDOW 0 is 32 x 36 .*takes a square"),
    "between pixels": ([part(0, 0, 32, 32)], (0.5, 0, 32, 32), "TILE 0 begins -0.5, 0 pixels .* between pixels"),
    "neighbours off a pixel": ([part(0, 0, 32, 16), (DARK, (0, 16.4, 32, 32))], WHOLE, "TILE 1 begins 0, 16.4 pixels"),
    "differing overlap": (
        [part(0, 0, 32, 16), (DARK, (0, 15, 32, 32))],
        WHOLE,
        "TILE 0 and TILE 1 overlap .* pixel 0, 15",
    ),
    "two of one window": ([part(0, 0, 32, 32), (DARK, WHOLE)], WHOLE, "TILE 0 and TILE 1 both show WINDOW 0"),
    "too many pixels": ([part(0, 0, 32, 32)], (0, 0, 2000, 2000), "WINDOW 0 is 2000 x 2000 pixels .*at most 100000"),
    "no whole picture": ([(JPEG[:-300], (0, 0, 40, 40))], WHOLE, "TILE 0 is a JPEG .*truncated"),
    "a tiny picture": ([(DARK, (0, 0, 1e-38, 1e-38))], WHOLE, "WINDOW 0 is .* pixels .*at most"),
}


@pytest.mark.parametrize("name", BAD)
def test_windows_that_cannot_be_are_refused_in_words(name: str) -> None:
    pictures, window, message = BAD[name]
    for order in (pictures, pictures[::-1]):
        with pytest.raises(ValueError, match=message if order is pictures else "WINDOW|TILE|REGION"):
            windows(order, window)


def test_all_pixels_of_a_request_are_bounded() -> None:
    many = [(8 * i, 0, 40, 40) for i in range(6)]
    with pytest.raises(ValueError, match=r"6 windows of 9600 pixels, .* at most 7000 each .*smaller batches"):
        windows([part(0, 0, 90, 70)], *many, max_pixels=7000)
    with pytest.raises(
        ValueError, match=r"1 windows of 1024 pixels, 2048 of them covered, .* pictures of 2048; at most 2000"
    ):
        windows([part(0, 0, 32, 32), part(0, 0, 32, 32, 1.0)], (0.1, 0, 32, 32), max_pixels=2000)


@pytest.mark.parametrize("whole", [float, round], ids=["as they are", "rounded to level-0 pixels"])
@pytest.mark.parametrize("l0_px", [3.98734, 16.00311])
def test_far_out_on_a_level_of_an_odd_scale_pictures_still_lie_side_by_side(whole: type, l0_px: float) -> None:
    x = 24 * 900
    pictures = [(data, (w_x + x, w_y + x, *size)) for data, (w_x, w_y, *size) in tiles(24)[:2]]
    placed = [(data, tuple(whole(each * l0_px) for each in region)) for data, region in pictures]
    window = tuple(whole(each * l0_px) for each in (x + 10, x, 24, 24))
    assert (windows(placed, window)[0] == sent_whole(10, 0, 24)).all()
