"""The drawing of kind "lesion": parts equal the whole, and the truth file tells the shares."""

from pathlib import Path

import numpy as np
import pytest

from histoserve.phantom import write_phantom
from histoserve.phantom.lesion.plan import CLASSES, SHARES, lesion_slide
from histoserve.phantom.lesion.share import cells_of
from histoserve.phantom.lesion.slide import LesionSlide
from histoserve.phantom.lesion.tiles import frame_in, tile_class
from histoserve.phantom.lesion.tissue import BLURRED
from histoserve.phantom.stain import haematoxylin_of

SIZE, MPP = (600, 500), 1.0
WHOLE = (0, 0, *SIZE)


@pytest.fixture(scope="module")
def slide() -> LesionSlide:
    return lesion_slide(SIZE, MPP, 3, slide_class="cribriform")


@pytest.fixture(scope="module")
def image(slide: LesionSlide) -> np.ndarray:
    return slide.draw(WHOLE)


@pytest.mark.parametrize("frame", [(0, 0, 256, 256), (333, 221, 201, 97), (317, 1, 1, 499), (599, 499, 1, 1)])
def test_a_tile_drawn_alone_has_the_pixels_of_the_whole(image: np.ndarray, frame: tuple[int, int, int, int]) -> None:
    x, y, width, height = frame

    part = lesion_slide(SIZE, MPP, 3, slide_class="cribriform").draw(frame)

    assert np.array_equal(part, image[y : y + height, x : x + width])


def test_a_blurred_patch_does_not_depend_on_the_frame() -> None:
    slide = lesion_slide((1200, 1200), 0.5, 8)
    x, y = (np.arange(60, 1140) + 0.5) * 0.5, (np.arange(60, 1140) + 0.5) * 0.5
    row, column = np.unravel_index(slide.tissue.areas[BLURRED].depth_on(x, y).argmax(), (1080, 1080))
    left, top = int(column) + 12, int(row) + 12

    whole = slide.draw((left - 40, top - 30, 200, 190))

    assert np.array_equal(slide.draw((left, top, 96, 96)), whole[30:126, 40:136])
    assert slide.tissue.areas[BLURRED].depth_on(x, y).max() > 20


def test_the_truth_file_gives_the_shares_that_the_drawing_gives(tmp_path: Path) -> None:
    arguments = {"size": SIZE, "mpp": MPP, "seed": 7}
    for name in ("a", "b"):
        kind = "lesion:slide_class=solid"
        write_phantom(tmp_path / f"{name}.tiff", kind=kind, truth=tmp_path / f"{name}.json", **arguments)
    slide = lesion_slide(SIZE, MPP, 7, slide_class="solid")

    shares = cells_of(tmp_path / "a.json").shares(SIZE, 200.0)

    alone = [[slide.share((x, y, 200, min(200, SIZE[1] - y))) for x in (0, 200, 400)] for y in (0, 200, 400)]
    assert np.allclose(shares, alone, equal_nan=True, atol=0)
    assert np.nanmax(shares) > 0.3
    for ending in ("tiff", "json"):
        assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()


def test_a_normal_slide_holds_no_lesion_cell() -> None:
    assert lesion_slide(SIZE, MPP, 3, slide_class="normal").share(WHOLE) == 0


def test_classes_and_shares_are_spread_as_declared() -> None:
    facts = [lesion_slide((60, 60), 60.0, seed).facts for seed in range(30)]
    shares = [fact["share_of_tissue"] for fact in facts if fact["class"] != "normal"]

    assert {fact["class"] for fact in facts} == set(CLASSES)
    assert all(SHARES[0] <= share <= SHARES[1] for share in shares)
    assert 0.2 < np.mean(np.array(shares) < np.sqrt(SHARES[0] * SHARES[1])) < 0.8


def test_a_slide_too_small_for_a_lesion_cell_is_normal() -> None:
    slide = lesion_slide((30, 30), 1.0, 5, slide_class="solid")

    assert slide.facts["class"] == ("solid" if slide.holds_lesion() else "normal")
    assert slide.facts["class"] == "normal"


@pytest.mark.parametrize(("share", "label"), [(0.25, "solid"), (0.2, None), (0.05, None), (0.04, "normal")])
def test_a_tile_is_called_by_its_share(share: float, label: str | None) -> None:
    assert tile_class("solid", share) == label


def test_a_frame_in_the_lesion_holds_lesion_cells() -> None:
    slide = lesion_slide((3000, 3000), 1.0, 11, slide_class="solid")

    frame = frame_in(slide, 256, np.random.default_rng(0), in_lesion=True)

    assert frame is not None
    assert slide.share(frame) > 0.05
    assert frame_in(slide, 3001, np.random.default_rng(0), in_lesion=False) is None


def test_lesion_cells_are_no_darker_than_the_lymphoid_crowd() -> None:
    slide = lesion_slide((800, 800), 0.5, 6, slide_class="solid")
    dye, labels = haematoxylin_of(slide.draw((0, 0, 800, 800))), slide.labels((0, 0, 800, 800))
    _, number, kinds, _ = slide._pasted((0, 0, 800, 800))

    mean = {kind: dye[(labels > 0) & np.isin(number, 1 + np.nonzero(kinds == kind)[0])].mean() for kind in (2, 5)}

    assert mean[5] < mean[2]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("lesion:slide_class=benign", "'benign': choose one of normal, solid, cribriform"),
        ("lesion:stains=green", "'green': choose one of training, outside"),
        ("lesion:colour=red", "no choice of 'colour': there are slide_class, stains"),
        ("he:stains=outside", "no choice of 'stains': it has none"),
        ("lesion:stains", "'': choose one of"),
    ],
)
def test_a_choice_that_there_is_not_is_refused_in_words(tmp_path: Path, kind: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write_phantom(tmp_path / "a.tiff", kind=kind, size=(50, 50), mpp=1.0, seed=0, truth=None)
