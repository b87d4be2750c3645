"""What the network for stained cells is trained on: who is positive is known, and nothing but the stain tells."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from histoserve.export.ihc.crops import StainedTile, stained, stained_crop, types_of
from histoserve.export.ihc.drawn import kept, turned_crop
from histoserve.export.ihc.restain import Staining, restained
from histoserve.export.nuclei.tiles import LabelledTile

NUCLEAR = Staining(
    counterstain=0.7,
    ground=0.8,
    hollow=0,
    glass=(0.96, 0.95, 0.93),
    dab=1.5,
    pale=0,
    haze=0.02,
    membrane=False,
    residue=0.1,
    hues=(0.3, 0.5),
)
MEMBRANE = replace(NUCLEAR, membrane=True)
SIDE = 96


def h_and_e() -> tuple[np.ndarray, np.ndarray]:
    """Nine violet discs on pink, labelled 1 to 9 by rows."""
    y, x = np.indices((SIDE, SIDE))
    image = np.full((SIDE, SIDE, 3), (232, 190, 215), np.uint8)
    labels = np.zeros((SIDE, SIDE), np.int32)
    for number in range(9):
        disc = (x - 16 - 32 * (number % 3)) ** 2 + (y - 16 - 32 * (number // 3)) ** 2 < 81
        image[disc], labels[disc] = (110, 70, 150), 1 + number
    return image, labels


def browner(image: np.ndarray) -> np.ndarray:
    """Red over blue, by pixel."""
    return image[..., 0].astype(int) - image[..., 2]


def test_positive_nuclei_are_brown_and_the_others_blue() -> None:
    image, labels = h_and_e()
    positive = np.array([False, True, False] * 3 + [True])
    made = browner(restained(image, labels, positive, NUCLEAR, np.random.default_rng(0)))

    means = [made[labels == number].mean() for number in range(1, 10)]
    assert all(mean > 0 for mean, is_positive in zip(means, positive[1:], strict=True) if is_positive)
    assert all(mean < -50 for mean, is_positive in zip(means, positive[1:], strict=True) if not is_positive)


def test_at_the_membrane_nuclei_stay_blue_and_what_lies_around_is_brown() -> None:
    image, labels = h_and_e()
    made = browner(restained(image, labels, np.arange(10) > 0, MEMBRANE, np.random.default_rng(0)))
    bare = browner(restained(image, labels, np.arange(10) < 0, MEMBRANE, np.random.default_rng(0)))

    assert made[labels > 0].mean() < 0
    assert (made - bare)[labels == 0].max() > 60
    assert made[48, 48] < 0


def test_a_vesicular_nucleus_is_a_rim_and_the_ground_is_nearly_clear() -> None:
    image, labels = h_and_e()
    nobody, random = np.zeros(10, bool), np.random.default_rng
    full, hollow = (
        restained(image, labels, nobody, replace(NUCLEAR, hollow=deep), random(0)).mean(2) for deep in (0, 0.8)
    )
    dark, clear = (
        restained(image, labels, nobody, replace(NUCLEAR, ground=share), random(0)).mean(2) for share in (1, 0)
    )

    assert hollow[48, 48] > full[48, 48] + 15
    assert abs(hollow[48, 40] - full[48, 40]) < 10
    assert clear[labels == 0].mean() > dark[labels == 0].mean()
    assert abs(clear[48, 48] - dark[48, 48]) < 10


def test_a_cell_of_a_tile_without_types_is_positive_or_not_and_says_so() -> None:
    image, labels = h_and_e()
    untyped = LabelledTile("discs", image, labels, np.zeros(10, np.uint8))
    crops = [stained_crop(untyped, 64, np.random.default_rng(seed)) for seed in range(20)]
    assert not any(crop.tells_tumour for crop in crops)
    assert set(np.concatenate([crop.type_of[1:] for crop in crops])) == {3, 4}


def test_a_part_of_a_drawn_tile_keeps_its_cells() -> None:
    image, labels = h_and_e()
    tile = StainedTile(image, labels, np.array([0, 1, 2, 3, 4, 1, 2, 3, 4, 1], np.uint8))
    seen = [turned_crop(tile, SIDE, np.random.default_rng(seed)) for seed in range(8)]
    for crop in seen:
        nuclei = crop.image.mean(2) < 180
        assert ((crop.instances > 0) == nuclei).mean() > 0.95
    assert len({crop.instances.tobytes() for crop in seen}) > 2


def test_phantoms_are_kept_whole_and_drawn_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image, labels = h_and_e()
    tile = StainedTile(image, labels, np.array([0, 1, 2, 3, 4, 1, 2, 3, 4, 1], np.uint8))
    drawn: list[int] = []
    monkeypatch.setattr("histoserve.export.ihc.drawn.of_phantom", lambda seed: drawn.append(seed) or [tile])
    for _ in range(2):
        [found] = kept(tmp_path / "tiles" / "5.npz", 5)
        np.testing.assert_array_equal(found.image, image)
        np.testing.assert_array_equal(found.instances, labels)
        assert found.type_of.tolist() == tile.type_of.tolist()
    assert drawn == [5]
    assert [path.name for path in (tmp_path / "tiles").iterdir()] == ["5.npz"]


def test_types_by_hand() -> None:
    tumour, positive = np.array([1, 1, 0, 0], bool), np.array([0, 1, 0, 1], bool)
    assert types_of(tumour, positive).tolist() == [1, 2, 3, 4]


def test_a_crop_has_the_types_of_its_own_nuclei_and_the_same_seed_the_same_crop() -> None:
    image, labels = h_and_e()
    tile = LabelledTile("discs", image, labels, np.array([0, 3, 3, 3, 2, 2, 2, 4, 4, 4], np.uint8))
    for seed in range(20):
        crop, again = (stained_crop(tile, 64, np.random.default_rng(seed)) for _ in range(2))
        assert crop.image.shape == (64, 64, 3)
        assert crop.instances.max() == len(crop.type_of) - 1
        assert crop.type_of[0] == 0
        np.testing.assert_array_equal(crop.image, again.image)
        np.testing.assert_array_equal(crop.type_of, again.type_of)


def test_epithelial_nuclei_stand_for_tumour_and_a_tile_without_nuclei_stays_one() -> None:
    image, labels = h_and_e()
    tile = LabelledTile("discs", image, labels, np.array([0, 3, 3, 3, 2, 2, 2, 4, 4, 1], np.uint8))
    types = np.stack([stained(tile, np.random.default_rng(seed)).type_of for seed in range(30)])
    assert types[:, 1:4].max() == 2
    assert types[:, 4:].min() == 3
    assert set(types[:, 1:].ravel()) == {1, 2, 3, 4}
    bare = LabelledTile("glass", image, np.zeros_like(labels), np.zeros(1, np.uint8))
    assert stained_crop(bare, 64, np.random.default_rng(0)).type_of.tolist() == [0]
