"""H&E given as a slide stained for a marker is refused: it would read as wholly negative."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from histoserve.client.pipelines.ihc.stain import (
    TISSUE,
    OtherStain,
    check_slide,
    check_stain,
    densities,
    grey_share,
    pink_share,
)
from histoserve.client.slide import open_slide

GLASS, PINK, BLUE, BROWN = (243, 242, 244), (232, 160, 200), (120, 150, 205), (110, 65, 40)
GREY = (130, 130, 130)


def picture(*colours: tuple[int, int, int], side: int = 60) -> np.ndarray:
    """Stripes."""
    return np.concatenate([np.full((side, side, 3), colour, np.uint8) for colour in colours], axis=1)


def tissue(image: np.ndarray) -> np.ndarray:
    density = densities(image)
    return density[density.sum(axis=1) > TISSUE]


def test_stains_by_hand() -> None:
    assert pink_share(tissue(picture(GLASS))) == grey_share(tissue(picture(GLASS))) == 0
    assert pink_share(tissue(picture(GLASS, BLUE, BROWN))) == 0
    assert pink_share(tissue(picture(GLASS, PINK, BLUE))) == 0.5
    assert grey_share(tissue(picture(GLASS, BLUE, BROWN, GREY))) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (picture(GLASS, GREY, GREY), "The tile has no colours"),
        (255 - picture(GLASS, GLASS, BLUE, BROWN), "The tile is dark where nothing is: inverted"),
    ],
)
def test_what_has_no_colours_or_a_dark_ground_is_refused_in_words(image: np.ndarray, said: str) -> None:
    with pytest.raises(OtherStain, match=said):
        check_stain("The tile", image)


def test_h_and_e_is_refused_in_words() -> None:
    with pytest.raises(OtherStain, match="The tile looks like H&E: 100% of its tissue is pink"):
        check_stain("The tile", picture(GLASS, PINK, PINK))
    check_stain("The tile", picture(GLASS, BLUE, BROWN, BLUE, PINK))


@pytest.mark.parametrize("size", [(1, 1), (30, 400), (3000, 2000)])
def test_a_slide_of_any_size_is_looked_at(tmp_path: Path, size: tuple[int, int]) -> None:
    for name, colour in (("he", PINK), ("ihc", BLUE)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((*size, 3), colour[::-1], np.uint8))
    with open_slide(tmp_path / "he.png") as slide, pytest.raises(OtherStain, match=r"he\.png looks like H&E"):
        check_slide(slide)
    with open_slide(tmp_path / "ihc.png") as slide:
        check_slide(slide)


def real(folder: Path, pattern: str) -> Iterator[np.ndarray]:
    for path in sorted(folder.glob(pattern)):
        yield cv2.imread(str(path))[::2, ::2, ::-1]


def test_real_slides_are_told_apart(shared: Path) -> None:
    h_and_e = [*real(shared, "consep/train_??.png"), *real(shared, "registration/*/*/*_HE.jpg")]
    stained = [*real(shared, "ihc_ki67/*_?.png"), *real(shared, "registration/*/*/*_p[rS]*.jpg")]
    assert min(pink_share(tissue(each)) for each in h_and_e) > 0.5
    assert max(pink_share(tissue(each)) for each in stained) < 0.05
    for each in stained:
        check_stain("real", each)
    assert (len(h_and_e), len(stained)) == (29, 5)
