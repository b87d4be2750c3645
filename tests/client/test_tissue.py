"""What is sent and what is left out."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from histoserve.client import sweep as sweep_module
from histoserve.client.errors import SlideError, UnreadableRegion
from histoserve.client.grid import Rectangle
from histoserve.client.slide import Slide
from histoserve.client.survey import Survey, survey_slide
from histoserve.client.tissue import Tissue, find_tissue

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]
GLASS, PINK, PURPLE, CELL = (243, 242, 245), (235, 205, 222), (90, 60, 140), (92, 66, 140)


class Painted(Slide):
    """A slide in memory, its levels made by averaging, stored as JPEG if `quality` is given.

    `broken` says which regions of which level cannot be read.
    """

    def __init__(
        self,
        pixels: Image,
        factors: tuple[int, ...] = (1,),
        broken: Callable[[Rectangle, int], bool] = lambda region, level: False,
        quality: int | None = None,
    ):
        height, width = pixels.shape[:2]
        super().__init__(Path("painted"), tuple(map(float, factors)), (width, height))
        self._broken = broken
        sizes = [(max(1, width // factor), max(1, height // factor)) for factor in factors]
        levels = [cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8) for size in sizes]
        self._levels = [jpeg(level, quality) if quality else level for level in levels]

    def read(self, l0_region: Rectangle, level: int) -> Image:
        if self._broken(l0_region, level):
            raise UnreadableRegion(f"bad tile of level {level}")
        x, y, width, height = (max(round(each / self.downsamples[level]), i // 2) for i, each in enumerate(l0_region))
        part = self._levels[level][y : y + height, x : x + width]
        return cv2.copyMakeBorder(
            part, 0, height - part.shape[0], 0, width - part.shape[1], cv2.BORDER_CONSTANT, value=(255, 255, 255)
        ).astype(np.uint8)

    def close(self) -> None: ...


def image(colour: Colour, width: int = 400, height: int = 400) -> Image:
    return np.full((height, width, 3), colour, np.uint8)


def textured(width: int, height: int, light: Colour = PINK, dark: Colour = PURPLE, px: int = 12) -> Image:
    """Spots of two colours, `px` wide: never even over a tenth of a millimetre, as no tissue is."""
    spots = np.random.default_rng(0).random((-(-height // px), -(-width // px), 1)) < 0.3
    return np.where(spots, dark, light).astype(np.uint8).repeat(px, 0).repeat(px, 1)[:height, :width]


def survey(pixels: Image, mpp: float = 0.25, **how: object) -> Survey:
    return survey_slide(Painted(pixels, **how), mpp, 2048, 2)  # type: ignore[arg-type]


def tissue_of(pixels: Image, mpp: float = 0.25, **how: object) -> Tissue:
    return find_tissue(survey(pixels, mpp, **how), mpp)


def jpeg(pixels: Image, quality: int = 75) -> Image:
    _, data = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1].astype(np.uint8)


@pytest.mark.parametrize("mpp", [0.25, 4.0, 12.0])
@pytest.mark.parametrize("dark", [PURPLE, (60, 35, 95)])
def test_an_image_full_of_tissue_is_wanted_whole(mpp: float, dark: Colour) -> None:
    assert tissue_of(textured(400, 400, dark=dark), mpp).mask.all()


def test_dense_dark_tissue_is_not_taken_for_a_surround() -> None:
    assert tissue_of(jpeg(textured(2000, 1600, (95, 70, 130), (60, 35, 95), px=24))).mask.all()


@pytest.mark.parametrize("pale", [(238, 214, 229), (226, 205, 221), (236, 215, 226)])
def test_pale_tissue_is_tissue(pale: Colour) -> None:
    pixels = image(GLASS, 1600, 1600)
    pixels[400:1200, 400:1200] = pale

    assert tissue_of(pixels).mask[25:75, 25:75].all()


@pytest.mark.parametrize("glass", [GLASS, (222, 220, 216), (250, 247, 240), (212, 210, 208)])
def test_glass_is_left_out(glass: Colour) -> None:
    noisy = image(glass) + np.random.default_rng(0).integers(-6, 5, (400, 400, 3))

    assert not tissue_of(noisy.astype(np.uint8)).wanted.any()


def test_only_tiles_on_or_beside_the_tissue_are_wanted() -> None:
    tissue = tissue_of(cv2.circle(image(GLASS), (200, 200), 80, PINK, cv2.FILLED).astype(np.uint8), 4.0)

    assert tissue.in_core((190, 190, 20, 20))
    assert tissue.in_core((283, 190, 20, 20))
    assert not tissue.in_core((320, 190, 20, 20))
    assert not tissue.in_core((0, 0, 40, 40))


def test_a_gap_in_the_tissue_is_closed() -> None:
    pixels = image(GLASS)
    pixels[100:300, 100:300] = PINK
    pixels[200:206, 100:300] = GLASS

    assert tissue_of(pixels, 4.0).mask[200:206, 110:290].all()


@settings(max_examples=60, deadline=None)
@given(x=st.integers(0, 799), y=st.integers(0, 599), factor=st.sampled_from([1, 2, 4, 16]))
def test_a_lone_cell_is_wanted_wherever_it_lies(x: int, y: int, factor: int) -> None:
    # 7 µm; on the border half of it is seen, in a corner a quarter.
    pixels = cv2.circle(image(GLASS, 800, 600), (x, y), 14, CELL, cv2.FILLED).astype(np.uint8)
    tissue = tissue_of(pixels, factors=(1, factor) if factor > 1 else (1,))

    assert tissue.in_core((x, y, 1, 1))
    assert not tissue.wanted.all()


@settings(max_examples=12, deadline=None)
@given(
    grey=st.one_of(st.integers(0, 255), st.sampled_from([0, 190, 199, 200, 255])),
    tint=st.tuples(*[st.integers(-6, 6)] * 3),
    offset=st.integers(300, 316),
    quality=st.sampled_from([60, 80, 95]),
    factors=st.sampled_from([(1,), (1, 4), (1, 16), (1, 4, 16)]),
)
def test_a_surround_of_any_grey_is_no_tissue(
    grey: int, tint: tuple[int, ...], offset: int, quality: int, factors: tuple[int, ...]
) -> None:
    scan = image(GLASS, 1240, 1040)
    scan[320:720, 320:920] = textured(600, 400)
    surrounded, plain = image(GLASS, 1840, 1640), image(GLASS, 1840, 1640)
    surrounded[:] = np.clip(np.add(grey, tint), 0, 255)
    for pixels in (surrounded, plain):
        pixels[offset : offset + 1040, offset : offset + 1240] = scan
    masks = [tissue_of(pixels, factors=factors, quality=quality).mask for pixels in (surrounded, plain)]

    # A block of JPEG that holds the edge and tissue shows its tissue a little differently.
    assert (masks[0] != masks[1]).sum() <= 0.01 * masks[1].sum()


@settings(max_examples=20, deadline=None)
@given(along=st.integers(330, 970), depth=st.integers(0, 30), grey=st.sampled_from([0, 60, 128, 190, 225, 255]))
def test_a_lone_cell_on_the_edge_of_a_surround_is_wanted(along: int, depth: int, grey: int) -> None:
    scan = cv2.circle(image(GLASS, 700, 700), (depth, along - 300), 14, CELL, cv2.FILLED)
    pixels = image((grey, grey, grey), 1300, 1300)
    pixels[300:1000, 300:1000] = scan

    assert tissue_of(jpeg(pixels, 80)).in_core((300 + depth, along, 1, 1))


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_nothing_but_surround_is_no_tissue(grey: int) -> None:
    tissue = tissue_of(image((grey, grey, grey), 1000, 1000))

    assert not tissue.wanted.any()


def test_an_even_part_within_the_tissue_is_kept() -> None:
    pixels = textured(1600, 1600)
    pixels[400:1200, 400:1200] = (200, 190, 195)

    assert tissue_of(pixels).mask.all()


def test_the_mask_does_not_depend_on_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = image((0, 0, 0), 1500, 1300)
    pixels[205:1111, 333:1230] = GLASS
    pixels[400:901, 400:1003] = textured(603, 501)
    whole = survey(jpeg(pixels))

    for block_px in (64, 200, 999):
        monkeypatch.setattr(sweep_module, "BLOCK_PX", block_px)
        other = survey(jpeg(pixels))
        np.testing.assert_array_equal(other.squares, whole.squares)
        np.testing.assert_array_equal(other.thumbnail, whole.thumbnail)


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (1, 5000), (5000, 1), (17, 16)])
@pytest.mark.parametrize("mpp", [0.05, 0.25, 12.0])
def test_a_slide_of_few_pixels_is_seen(size: tuple[int, int], mpp: float) -> None:
    tissue = tissue_of(image(PURPLE, *size), mpp)

    assert tissue.mask.all()
    assert tissue.mm2((0, 0, *size)) == pytest.approx(size[0] * size[1] * mpp**2 / 1e6)
    assert not tissue_of(image(GLASS, *size), mpp).wanted.any()


@pytest.mark.parametrize(
    ("factors", "level"), [((1,), 0), ((1, 4), 1), ((1, 4, 16), 2), ((1, 16, 32), 1), ((1, 32), 0)]
)
def test_the_coarsest_level_that_is_fine_enough_is_read(factors: tuple[int, ...], level: int) -> None:
    read: list[int] = []
    survey_slide(Painted(image(GLASS, 4096, 640), factors, lambda region, at: bool(read.append(at))), 0.25, 64, 1)

    assert set(read) == {level}


def test_a_damaged_level_is_replaced_by_a_finer_one() -> None:
    pixels = image(GLASS, 2400, 1600)
    pixels[300:1100, 500:1700] = textured(1200, 800)
    whole = survey(pixels, factors=(1, 4))
    damaged = survey(pixels, factors=(1, 4), broken=lambda region, level: level == 1)

    np.testing.assert_array_equal(damaged.squares, whole.squares)
    np.testing.assert_array_equal(damaged.thumbnail, whole.thumbnail)


def overlaps(region: Rectangle, other: Rectangle) -> bool:
    return all(region[i] < other[i] + other[i + 2] and other[i] < region[i] + region[i + 2] for i in (0, 1))


def test_what_cannot_be_read_is_wanted_but_no_tissue() -> None:
    bad = (512, 256, 256, 256)
    tissue = tissue_of(textured(1536, 1024), broken=lambda region, level: overlaps(region, bad))

    assert tissue.in_core(bad)
    assert tissue.mm2(bad) == 0
    assert tissue.describe()["unread_mm2"] == pytest.approx(256**2 * 0.25**2 / 1e6)
    assert tissue.mm2((0, 0, 1536, 1024)) == pytest.approx((1536 * 1024 - 256**2) * 0.25**2 / 1e6)


def test_a_tile_that_can_be_read_after_all_tells_what_is_tissue_in_it() -> None:
    pixels = image(GLASS, 1536, 1024)
    pixels[300:900, 200:1100] = textured(900, 600)
    bad = (512, 256, 250, 250)
    whole = tissue_of(pixels)
    tissue = tissue_of(pixels, broken=lambda region, level: overlaps(region, bad))
    missing = whole.mm2(bad) - tissue.mm2(bad)
    for x, right in pairwise(range(0, 1537, 128)):
        for y, bottom in pairwise(range(0, 1025, 128)):
            tissue.learn((x, y, right - x, bottom - y), (x, y, 128, 128), pixels[y:bottom, x:right])
    tissue.settle()

    assert missing > 0
    assert not tissue.unread.any()
    np.testing.assert_array_equal(tissue.mask, whole.mask)


def test_a_slide_of_which_nothing_can_be_read_is_refused() -> None:
    with pytest.raises(SlideError, match=r"Nothing of painted .*bad tile of level 0"):
        tissue_of(image(PINK), broken=lambda region, level: True)


def test_the_area_of_cores_adds_up_to_that_of_the_tissue() -> None:
    tissue = tissue_of(textured(1000, 1000), 1.0)
    edges = [0, 137, 500, 703, 1000]

    areas = [tissue.mm2((x, y, right - x, bottom - y)) for x, right in pairwise(edges) for y, bottom in pairwise(edges)]

    assert sum(areas) == pytest.approx(1)
    assert areas[0] == pytest.approx(0.137**2)
