"""The H&E drawing: independent of how it is cut into blocks, and true to its truth."""

import numpy as np
import pytest
from skimage.draw import polygon2mask

from histoserve.phantom.he.nuclei import EPITHELIAL, INFLAMMATORY, SPINDLE
from histoserve.phantom.he.slide import HeSlide
from histoserve.phantom.stain import haematoxylin_of

SIZE, MPP, SEED = (1000, 700), 0.25, 5
WHOLE = (0, 0, *SIZE)


@pytest.fixture(scope="module")
def slide() -> HeSlide:
    return HeSlide(SIZE, MPP, SEED)


@pytest.fixture(scope="module")
def image(slide: HeSlide) -> np.ndarray:
    return slide.draw(WHOLE)


@pytest.mark.parametrize("frame", [(0, 0, 256, 256), (333, 221, 301, 97), (517, 1, 1, 699), (999, 699, 1, 1)])
def test_a_part_looks_the_same_alone(image: np.ndarray, frame: tuple[int, int, int, int]) -> None:
    x, y, width, height = frame

    part = HeSlide(SIZE, MPP, SEED).draw(frame)

    assert np.array_equal(part, image[y : y + height, x : x + width])


@pytest.mark.parametrize("mpp", [0.25, 1.0])
def test_outlines_filled_in_are_the_mask_that_was_drawn(mpp: float) -> None:
    slide = HeSlide((600, 500), mpp, 3)
    covered = np.zeros((500, 600), int)

    for nucleus in slide.objects():
        # skimage's pixel (i, j) has its centre at (i, j), a slide's at (i + 0.5, j + 0.5).
        covered += polygon2mask((500, 600), nucleus.outline[:, ::-1] - 0.5)

    assert covered.max() == 1
    assert covered.sum() > 1000
    assert np.array_equal(covered > 0, slide.labels((0, 0, 600, 500)) > 0)


def test_nuclei_touch_but_never_overlap(slide: HeSlide) -> None:
    shapely = pytest.importorskip("shapely")
    outlines = shapely.polygons([nucleus.outline for nucleus in slide.objects()])
    tree = shapely.STRtree(outlines)

    a, b = tree.query(outlines, predicate="dwithin", distance=1.0)
    a, b = a[a < b], b[a < b]

    assert shapely.is_valid(outlines).all()
    assert len(a) > 10
    assert shapely.area(shapely.intersection(outlines[a], outlines[b])).max() == 0


def test_nuclei_hold_more_haematoxylin_than_what_surrounds_them(slide: HeSlide, image: np.ndarray) -> None:
    dye, labels = haematoxylin_of(image), slide.labels(WHOLE)

    inside = np.bincount(labels.ravel(), dye.ravel())[1:] / np.maximum(np.bincount(labels.ravel())[1:], 1)

    seen = np.unique(labels)[1:]
    assert inside[seen - 1].min() > dye[labels == 0].mean() + 0.1
    assert dye[labels > 0].mean() > dye[labels == 0].mean() + 0.4


def test_glass_is_bright_and_grey(slide: HeSlide, image: np.ndarray) -> None:
    corner = image[:12, :12]

    assert corner.min() > 225
    assert np.ptp(corner.mean(axis=(0, 1))) < 6


def test_a_share_of_the_slide_is_tissue_and_a_share_is_glass(image: np.ndarray) -> None:
    assert 0.2 < (image.min(axis=2) < 215).mean() < 0.9


def test_nuclei_have_the_sizes_of_their_types() -> None:
    nuclei = list(HeSlide((1000, 1000), 0.5, 4).objects())

    def diameter(kind: int) -> float:
        hulls = [n.outline * 0.5 for n in nuclei if n.type == kind]
        return float(np.median([np.linalg.norm(h[:, None] - h[None], axis=2).max() for h in hulls]))

    assert 5 < diameter(INFLAMMATORY) < 7.5
    assert 9 < diameter(EPITHELIAL) < 14
    assert 11 < diameter(SPINDLE) < 18


def test_resolution_changes_the_sampling_only() -> None:
    fine = [(n.type, *n.outline.mean(axis=0) * 0.25) for n in HeSlide((800, 800), 0.25, 8).objects()]
    coarse = [(n.type, *n.outline.mean(axis=0) * 0.5) for n in HeSlide((400, 400), 0.5, 8).objects()]

    assert len(fine) > 5
    assert np.array(coarse) == pytest.approx(np.array(fine), abs=0.02)
