"""The drawing of kind "ihc": parts equal the whole, brown lies where the truth says, and what is asked for is there."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from histoserve.phantom import write_phantom
from histoserve.phantom.ihc.plan import ihc_slide
from histoserve.phantom.ihc.tiles import ihc_tile, ihc_tiles

SIZE, MPP = (400, 360), 0.5


@pytest.mark.parametrize("marker", ["ki67", "her2"])
def test_a_tile_drawn_alone_has_the_pixels_of_the_whole(marker: str) -> None:
    whole = ihc_slide(SIZE, MPP, 3, marker=marker, level="0.5").draw((-20, 60, 300, 200))

    for x, y, width, height in [(133, 121, 101, 97), (117, 71, 1, 180), (-15, 65, 90, 80)]:
        part = ihc_slide(SIZE, MPP, 3, marker=marker, level="0.5").draw((x, y, width, height))
        assert np.array_equal(part, whole[y - 60 : y - 60 + height, x + 20 : x + 20 + width])


def test_nuclei_are_brown_where_the_truth_says_positive() -> None:
    for tile in ihc_tiles(range(4), side=200, places=["nests"], markers=["ki67", "er"]):
        yellow = tile.image[..., 0].astype(int) - tile.image[..., 2]
        means = np.array([yellow[tile.instances == k + 1].mean() for k in range(len(tile.positive))])

        if tile.positive.any():
            assert np.median(means[tile.positive]) > 20
        assert (means[~tile.positive] < 0).mean() > 0.9


@pytest.mark.parametrize(("level", "ratio"), [("0", 0.0), ("1", 1.0)])
def test_a_marker_is_in_none_or_all_of_the_tumour_cells(level: str, ratio: float) -> None:
    facts = ihc_slide(SIZE, MPP, 5, marker="er", level=level, share="0.6").facts

    assert facts["ratio"] == ratio
    assert facts["cells"]["tumour negative" if level == "1" else "tumour positive"] == 0  # type: ignore[index]


def test_lymphocytes_and_glands_express_ki67_too() -> None:
    slide = ihc_slide((2000, 2000), 0.5, 11, marker="ki67", share="0.2")

    cells = slide.section.within((700, 700, 600, 600))

    others = slide.positive(cells)[~cells.tumour]
    assert others.sum() > 5
    assert (~others).sum() > 5


def test_the_truth_file_names_each_cell_and_counts_them(tmp_path: Path) -> None:
    truth = tmp_path / "truth.json"
    kind = "ihc:marker=ki67,level=0.4,share=0.5"
    write_phantom(tmp_path / "a.tiff", kind=kind, size=SIZE, mpp=MPP, seed=2, truth=truth)

    told = json.loads(truth.read_text())

    names = [one["properties"]["name"] for one in told["features"]]
    assert {name: names.count(name) for name in told["phantom"]["cells"]} == told["phantom"]["cells"]
    for one in told["features"]:
        assert ("ki67" in one["properties"]["positive"]) == one["properties"]["name"].endswith("positive")


def test_instances_of_a_tile_are_its_outlines() -> None:
    slide = ihc_slide(SIZE, MPP, 2, share="0.6")
    tile = ihc_tile(slide, (100, 80, 140, 120))

    assert tile.instances.max() == len(tile.outlines) == len(tile.types) - 1
    assert len(np.unique(tile.instances[tile.instances > 0])) == len(tile.outlines)
    assert np.array_equal(tile.types[1:] % 2 == 1, tile.positive)


def test_tiles_lie_in_nests_or_apart_from_them() -> None:
    nests, apart = (list(ihc_tiles(range(3), side=400, places=[place], markers=["er"])) for place in ("nests", "apart"))

    assert len(nests) == len(apart) == 3
    assert min(tile.tumour.sum() for tile in nests) > 10
    # Single cells stray from their nests.
    assert max(tile.tumour.sum() for tile in apart) < 4
    assert min(len(tile.tumour) for tile in apart) > 20


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ("marker=p53", "'p53': choose one of ki67, er, pr, her2, null"),
        ("level=30", "level is a part from 0 to 1, but it is '30'"),
        ("share=nan", "share is a part from 0 to 1, but it is 'nan'"),
        ("stains=blue", "'blue': choose one of training, outside"),
    ],
)
def test_a_choice_that_there_is_not_is_refused_in_words(tmp_path: Path, choices: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write_phantom(tmp_path / "a.tiff", kind=f"ihc:{choices}", size=(50, 50), mpp=1.0, seed=0, truth=None)


@pytest.mark.parametrize("first", ["ihc.tiles", "ihc.plan", "ihc.stained", "biomarker.pair", "biomarker.plan"])
def test_each_of_the_two_kinds_can_be_imported_first(first: str) -> None:
    subprocess.run([sys.executable, "-c", f"import histoserve.phantom.{first}"], check=True)
