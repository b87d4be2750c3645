"""What is sent and what is left out."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from histoserve.client.tissue import Tissue, find_tissue

GLASS, PINK, PURPLE = (243, 242, 245), (235, 205, 222), (90, 60, 140)


def image(colour: tuple[int, int, int], side: int = 400) -> NDArray[np.uint8]:
    return np.full((side, side, 3), colour, np.uint8)


def tissue_of(thumbnail: NDArray[np.uint8], mpp: float = 4.0) -> Tissue:
    return find_tissue(thumbnail, (thumbnail.shape[1], thumbnail.shape[0]), mpp)


@pytest.mark.parametrize("mpp", [0.25, 4.0, 12.0])
def test_an_image_full_of_tissue_is_wanted_whole(mpp: float) -> None:
    random = np.random.default_rng(0)
    full = np.where(random.random((400, 400, 1)) < 0.3, PURPLE, PINK).astype(np.uint8)

    assert tissue_of(full, mpp).mask.all()


def test_glass_is_left_out() -> None:
    noisy = image(GLASS) + np.random.default_rng(0).integers(-6, 7, (400, 400, 3))

    assert not tissue_of(noisy.astype(np.uint8)).wanted.any()


def test_only_tiles_on_or_beside_the_tissue_are_wanted() -> None:
    thumbnail = cv2.circle(image(GLASS), (200, 200), 80, PINK, cv2.FILLED).astype(np.uint8)
    tissue = tissue_of(thumbnail)

    assert tissue.in_core((190, 190, 20, 20))
    assert tissue.in_core((283, 190, 20, 20))
    assert not tissue.in_core((320, 190, 20, 20))
    assert not tissue.in_core((0, 0, 40, 40))


def test_a_gap_in_the_tissue_is_closed_and_dust_is_opened() -> None:
    thumbnail = image(GLASS)
    thumbnail[100:300, 100:300] = PINK
    thumbnail[200:206, 100:300] = GLASS
    thumbnail[20:21, 20:22] = PURPLE

    mask = tissue_of(thumbnail).mask

    assert mask[200:206, 110:290].all()
    assert not mask[:60, :60].any()


def test_a_single_nucleus_on_glass_is_wanted() -> None:
    thumbnail = cv2.circle(image(GLASS, 1600), (800, 800), 20, PURPLE, cv2.FILLED).astype(np.uint8)

    assert tissue_of(thumbnail, 0.25).in_core((700, 700, 200, 200))


def test_unread_parts_are_wanted() -> None:
    thumbnail = image(GLASS)
    thumbnail[100:200, 100:200] = 128

    assert tissue_of(thumbnail).in_core((120, 120, 10, 10))


def test_the_area_of_cores_adds_up_to_that_of_the_tissue() -> None:
    tissue = find_tissue(image(PINK, 200), (1000, 1000), 1.0)
    edges = [0, 137, 500, 703, 1000]

    areas = [
        tissue.l0_area((x, y, right - x, bottom - y)) for x, right in pairwise(edges) for y, bottom in pairwise(edges)
    ]

    assert sum(areas) == pytest.approx(1e6)
    assert areas[0] == pytest.approx(137**2)
