"""The smear: independent of how it is cut into blocks, and of the class that its cells say."""

import json
from collections import Counter
from pathlib import Path
from random import Random

import numpy as np
import openslide
import pytest
from skimage.draw import polygon2mask

from histoserve.phantom import write_phantom
from histoserve.phantom.cytology.cells import BUILDERS
from histoserve.phantom.cytology.condition import condition
from histoserve.phantom.cytology.diagnosis import ASCUS, CLASSES, HSIL, LSIL, NEUTROPHIL, NORMAL, TYPES
from histoserve.phantom.cytology.smear import _BLURRED, _DEEP, Smear, smear
from histoserve.phantom.cytology.sprites import sprite

SIZE, MPP, SEED = (1200, 900), 0.5, 5
WHOLE = (0, 0, *SIZE)


def area(outline: np.ndarray) -> float:
    x, y = outline.T
    return abs(float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum())) / 2


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return smear(SEED, SIZE, MPP).draw(WHOLE)


@pytest.mark.parametrize("frame", [(0, 0, 256, 256), (333, 221, 301, 97), (517, 1, 1, 899), (1199, 899, 1, 1)])
def test_a_part_looks_the_same_alone(image: np.ndarray, frame: tuple[int, int, int, int]) -> None:
    x, y, width, height = frame

    part = smear(SEED, SIZE, MPP).draw(frame)

    assert np.array_equal(part, image[y : y + height, x : x + width])


@pytest.mark.parametrize("mpp", [0.1, 0.25, 2.0])
def test_blocks_make_up_the_whole_at_any_resolution(mpp: float) -> None:
    drawn_whole, drawn_in_blocks = (smear(4, (1500, 1500), mpp, "high_grade") for _ in range(2))
    x, y = (int(place) - 150 for place in drawn_whole.lesions[0][:2])

    whole = drawn_whole.draw((x, y, 300, 300))
    rows = [[drawn_in_blocks.draw((x + j, y + i, 150, 75)) for j in (0, 150)] for i in range(0, 300, 75)]

    assert np.array_equal(np.vstack([np.hstack(row) for row in rows]), whole)
    assert (whole.min(axis=2) < 0.8 * np.median(whole)).mean() > 0.002


def test_a_frame_may_extend_beyond_the_slide(image: np.ndarray) -> None:
    beyond = smear(SEED, SIZE, MPP).draw((-40, -30, 200, 100))

    assert np.array_equal(beyond[30:, 40:], image[:70, :160])


@pytest.mark.parametrize("kind", BUILDERS)
def test_no_cell_reaches_farther_than_its_kind_says(kind: str) -> None:
    build, reach = BUILDERS[kind]
    dyes, mpp = condition(1).dyes, 0.5

    pictures = [sprite(build(Random(seed), 100.0, 200.0), dyes, 0.0, mpp, Random(seed)) for seed in range(100)]

    assert min(one.left * mpp - 100 for one in pictures) > -reach - 2 * mpp
    assert min(one.top * mpp - 200 for one in pictures) > -reach - 2 * mpp
    assert max((one.left + one.density.shape[1]) * mpp - 100 for one in pictures) < reach + 2 * mpp
    assert max((one.top + one.density.shape[0]) * mpp - 200 for one in pictures) < reach + 2 * mpp


@pytest.mark.parametrize("kind", BUILDERS)
def test_a_cell_has_three_dyes_at_most(kind: str) -> None:
    cells = [BUILDERS[kind][0](Random(seed), 0.0, 0.0) for seed in range(100)]

    assert max(len({dye for layer in cell.layers for dye, _ in layer.dyes}) for cell in cells) <= 3


def test_the_nucleus_takes_up_much_of_a_high_grade_cell_and_little_of_others() -> None:
    def shares(kind: str) -> list[float]:
        cells = [BUILDERS[kind][0](Random(seed), 0.0, 0.0) for seed in range(100)]
        return [area(cell.nucleus) / area(cell.layers[0].outline) for cell in cells if cell.nucleus is not None]

    assert 0.3 < min(shares("hsil")) < max(shares("hsil")) < 0.75
    assert max(shares("intermediate")) < max(shares("ascus")) < 0.25
    assert max(shares("lsil")) < 0.3
    assert max(shares("parabasal")) < 0.35


def test_no_focus_is_worse_than_the_drawing_allows_for() -> None:
    worst = max(condition(seed).blur + condition(seed).swing for seed in range(200))

    assert 3 * (worst + _DEEP) <= _BLURRED


@pytest.mark.parametrize("seed", range(8))
def test_the_class_follows_from_the_cells_in_the_truth(seed: int) -> None:
    slide = smear(seed, SIZE, MPP)

    found = Counter(TYPES[one.type - 1] for one in slide.objects())

    assert {name: found[name] for name in ("ascus", "lsil", "hsil")} == slide.facts["counts"]
    grade = "high_grade" if found["hsil"] else "low_grade" if found["ascus"] + found["lsil"] else "negative"
    assert slide.slide_class == slide.facts["class"] == grade
    assert found["normal"] > 10
    assert found["neutrophil"] > 0


def test_classes_are_a_third_each_and_few_lesions_are_common() -> None:
    slides = [smear(seed, (4000, 4000), 0.25) for seed in range(300)]
    numbers = np.array([len(slide.lesions) for slide in slides if slide.slide_class != "negative"])
    high = [slide for slide in slides if slide.slide_class == "high_grade"]

    share = Counter(slide.slide_class for slide in slides)

    assert all(70 < share[name] < 130 for name in CLASSES)
    assert (numbers.min(), numbers.max() > 50) == (3, True)
    assert (numbers == 3).mean() > 0.05
    assert min(sum(one.type == "hsil" for one in slide.lesions) for slide in high) == 3


@pytest.mark.parametrize("slide_class", CLASSES)
def test_a_class_can_be_asked_for(slide_class: str) -> None:
    slides = [smear(seed, (2000, 2000), 0.5, slide_class) for seed in range(20)]

    assert {slide.slide_class for slide in slides} == {slide_class}
    assert (min(len(slide.lesions) for slide in slides) == 0) == (slide_class == "negative")


def test_a_slide_without_room_is_negative_and_no_other_can_be_asked_for() -> None:
    assert {smear(seed, (60, 60), 0.5).slide_class for seed in range(20)} == {"negative"}
    with pytest.raises(ValueError, match="30 x 30 µm have room for 0"):
        smear(1, (60, 60), 0.5, "high_grade")
    with pytest.raises(ValueError, match="'medium': choose one of negative"):
        smear(1, (2000, 2000), 0.5, "medium")


def test_lesions_are_where_the_truth_has_them() -> None:
    slide = smear(3, SIZE, MPP, "high_grade")
    nuclei = [(one.outline.mean(axis=0), TYPES[one.type - 1]) for one in slide.objects()]

    for x, y, name in slide.lesions:
        nearest = min(nuclei, key=lambda nucleus: float(np.hypot(*(nucleus[0] - (x, y)))))
        assert nearest[1] == name
        assert np.hypot(*(nearest[0] - (x, y))) < 3


def test_nuclei_have_the_sizes_of_their_types() -> None:
    slides = [smear(seed, SIZE, MPP, grade) for seed in range(4) for grade in CLASSES[1:]]
    sizes: dict[int, list[float]] = {}
    for one in (one for slide in slides for one in slide.objects()):
        sizes.setdefault(one.type, []).append(area(one.outline) * 0.25 / 45)

    assert 0.5 < np.median(sizes[NORMAL]) < 1
    assert 0.2 < np.median(sizes[NEUTROPHIL]) < 0.9
    assert max(sizes[NORMAL]) < min(sizes[ASCUS])
    assert 2.3 < min(sizes[ASCUS]) < max(sizes[ASCUS]) < 3.2
    assert 2.9 < min(sizes[LSIL]) < 3.3 < np.median(sizes[LSIL]) < max(sizes[LSIL]) < 5.1
    assert 1.1 < min(sizes[HSIL]) < max(sizes[HSIL]) < 3.9


def test_nuclei_are_darker_than_their_cells_and_darkest_in_high_grade_lesions() -> None:
    slide = smear(8, (700, 700), 0.5, "high_grade")
    density = -np.log(np.maximum(slide.draw((0, 0, 700, 700))[:, :, 0], 1) / 250)
    shades: dict[int, list[float]] = {}
    for one in slide.objects():
        x, y = np.floor(one.outline.min(axis=0)).astype(int) - 1
        mask = polygon2mask((50, 50), one.outline[:, ::-1] - (y + 0.5, x + 0.5))
        around = density[max(y, 0) : y + 50, max(x, 0) : x + 50]
        shades.setdefault(one.type, []).append(float(around[mask[: around.shape[0], : around.shape[1]]].mean()))

    assert min(shades[HSIL]) > 0.6
    assert np.median(shades[HSIL]) > 1.4 * np.median(shades[NORMAL])
    assert np.median(shades[NORMAL]) > np.median(density) + 0.25


def test_overlapping_cells_let_light_through(image: np.ndarray) -> None:
    lamp = np.median(image.reshape(-1, 3), axis=0)

    assert (lamp > 215).all()
    assert (image.min(axis=2) < 0.9 * lamp.min()).mean() > 0.02
    assert image[:, :, 0].min() > 0


def test_conditions_differ_from_slide_to_slide() -> None:
    slides = [smear(seed, (200, 200), 0.5).draw((0, 0, 200, 200)) for seed in range(8)]

    glass = [tuple(np.median(slide.reshape(-1, 3), axis=0)) for slide in slides]

    assert len(set(glass)) == 8
    assert np.ptp([sum(colour) for colour in glass]) > 15


def test_resolution_changes_the_sampling_only() -> None:
    fine = [(one.type, *one.outline.mean(axis=0) * 0.25) for one in smear(9, (2400, 1600), 0.25).objects()]
    coarse = [(one.type, *one.outline.mean(axis=0) * 0.5) for one in smear(9, (1200, 800), 0.5).objects()]

    assert len(fine) > 20
    assert np.array(coarse) == pytest.approx(np.array(fine), abs=0.01)


def test_all_nuclei_lie_on_the_slide() -> None:
    slide = Smear((900, 700), 0.5, 6)

    corners = np.concatenate([one.outline for one in slide.objects()])

    assert (corners >= 0).all()
    assert (corners <= (900, 700)).all()


def test_openslide_shows_it_and_the_truth_names_its_class(tmp_path: Path) -> None:
    paths = [(tmp_path / f"{k}.tiff", tmp_path / f"{k}.geojson") for k in range(2)]
    for path, truth in paths:
        write_phantom(path, kind="cytology", size=(1000, 700), mpp=0.5, seed=SEED, truth=truth)

    drawn = smear(SEED, (1000, 700), 0.5)
    header = json.loads(paths[0][1].read_text())["phantom"]
    with openslide.OpenSlide(paths[0][0]) as slide:
        read = np.asarray(slide.read_region((0, 0), 0, (1000, 700)).convert("RGB")).astype(int)

    assert [a.read_bytes() for a in paths[0]] == [b.read_bytes() for b in paths[1]]
    assert abs(read - drawn.draw((0, 0, 1000, 700))).mean() < 3
    assert (header["class"], header["counts"]) == (drawn.slide_class, drawn.facts["counts"])
