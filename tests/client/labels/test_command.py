"""`histoserve label`: from two slides to rows, with a made-up reader in the place of the served network."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from histoserve.client import tile_reading
from histoserve.client.labels.label import Decision
from histoserve.client.labels.read import TABLE, read_labels
from histoserve.client.registration.registration import Patch, Registration, Section
from histoserve.client.results.source import source_of
from histoserve.client.tile_reading import Reading

Label = Callable[..., tuple[int, str]]
MATRIX = np.array([[0.0, -2.0, 900.0], [2.0, 0.0, 40.0]])
"""A quarter turn, and twice as many pixels."""
WHITE, PINK, BROWN = (245, 245, 245), (220, 150, 190), (140, 90, 40)


@pytest.fixture
def slides(tmp_path: Path) -> tuple[Path, Path]:
    """400×400 px at 1 µm/px, and its neighbour at 0.5; tiles of 128 µm: four have tissue, the IHC's third is brown."""
    he = np.full((400, 400, 3), WHITE, np.uint8)
    he[:256, :256] = PINK
    ihc = np.full((900, 920, 3), WHITE, np.uint8)
    for y, x in ((0, 0), (0, 128), (128, 0), (128, 128)):
        corners = (MATRIX[:, :2] @ np.array([[x, x + 128], [y, y + 128]]) + MATRIX[:, 2:]).astype(int)
        (left, right), (top, bottom) = sorted(corners[0]), sorted(corners[1])
        ihc[top:bottom, left:right] = BROWN if (y, x) == (128, 0) else PINK
    for name, image in (("he", he), ("ihc", ihc)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), image[..., ::-1])
    return tmp_path / "he.png", tmp_path / "ihc.png"


@pytest.fixture
def laid(slides: tuple[Path, Path]) -> Path:
    """Their registration; the fourth tile is 14 µm off."""
    he, ihc = (source_of(path).content for path in slides)
    shifts = (((64, 64), 1.0), ((192, 64), 2.0), ((64, 192), 3.0), ((192, 192), 14.0))
    patches = tuple(Patch((x, y), (shift, 0.0)) for (x, y), shift in shifts)
    sections = Section("he.png", (400, 400), 1.0, he), Section("ihc.png", (920, 900), 0.5, ihc)
    path = slides[0].with_name("registration.json")
    path.write_text(json.dumps(Registration(*sections, MATRIX, patches, 100.0).described()))
    return path


def count(picture: NDArray[np.uint8], mpp: float) -> Reading:
    """Brown pixels are positive cells, pink ones negative."""
    assert picture.shape == (64, 64, 3)
    brown, pink = ((np.abs(picture.astype(int) - colour).max(axis=2) < 20).sum() for colour in (BROWN, PINK))
    return Reading(int(brown), int(pink), 0.01)


@pytest.fixture
def label(
    histoserve: Label, monkeypatch: pytest.MonkeyPatch, slides: tuple[Path, Path], laid: Path, tmp_path: Path
) -> Label:
    """`label(option…, read=…)` on the slides, into `set`."""

    def run(*options: object, read: Any = count) -> tuple[int, str]:
        @contextmanager
        def reader(addresses: Any, deadline: float) -> Iterator[Any]:
            yield read

        monkeypatch.setattr(tile_reading, "tile_reader", reader)
        known = ["--marker", "ki67", "--registration", laid, "--tile-px", 64, "--tile-mpp", 2, "-o", tmp_path / "set"]
        return histoserve("label", *slides, *known, *options)

    return run


def test_both_slides_are_cut_by_the_same_rule_and_read(label: Label, tmp_path: Path) -> None:
    code, _ = label()

    labels = read_labels(tmp_path / "set")
    assert code == 0
    assert [(each.tile.he_region, each.tile.ihc_region, each.tile.reading) for each in labels] == [
        ((0, 0, 128, 128), (644, 40, 256, 256), 0.0),
        ((128, 0, 128, 128), (644, 296, 256, 256), 0.0),
        ((0, 128, 128, 128), (388, 40, 256, 256), 1.0),
        ((128, 128, 128, 128), (388, 296, 256, 256), None),
    ]
    assert [each.decision for each in labels] == [*[Decision.UNDECIDED] * 3, Decision.DROP]
    assert "more than a tenth of the tile's 128 µm" in labels[3].tile.reason
    assert sorted(each.name for each in (tmp_path / "set").iterdir()) == [".lock", TABLE, "pairs", "sheets"]


def test_pictures_show_the_same_place_the_same_way_up(label: Label, tmp_path: Path) -> None:
    label()

    third = read_labels(tmp_path / "set")[2]
    he, ihc = (cv2.imread(str(path))[..., ::-1] for path in (third.he_picture, third.ihc_picture))
    assert (he == PINK).all()
    assert (ihc[2:-2, 2:-2] == BROWN).all()


def test_the_same_pair_again_is_told_and_decisions_stay(label: Label, tmp_path: Path) -> None:
    label()
    table = tmp_path / "set" / TABLE
    table.write_text(table.read_text().replace(",,\n", ",accept,\n", 1))
    before = read_labels(tmp_path / "set")

    def never(picture: Any, mpp: float) -> Reading:
        raise AssertionError("nothing is left to read")

    assert label(read=never)[0] == 0
    assert read_labels(tmp_path / "set") == before


def test_a_second_pair_is_added(label: Label, slides: tuple[Path, Path], laid: Path, tmp_path: Path) -> None:
    label()
    other = slides[1].with_name("other.png")
    other.write_bytes(slides[1].read_bytes() + b"\0")
    said = json.loads(laid.read_text())
    said["ihc"]["content_sha256"] = source_of(other).content
    laid.write_text(json.dumps(said))
    shutil.move(other, slides[1])

    code, _ = label("--marker", "er")

    assert code == 0
    assert [each.pair.marker for each in read_labels(tmp_path / "set")] == ["ki67"] * 4 + ["er"] * 4


def test_an_interrupted_run_goes_on(label: Label, tmp_path: Path) -> None:
    asked: list[int] = []

    def dying(picture: NDArray[np.uint8], mpp: float) -> Reading:
        asked.append(1)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return count(picture, mpp)

    assert label(read=dying)[0] == 130
    assert not (tmp_path / "set" / TABLE).exists()
    assert label(read=dying)[0] == 0
    assert len(asked) == 4
    assert len(read_labels(tmp_path / "set")) == 4


WRONG: dict[str, tuple[int, list[object]]] = {
    "--marker 'Ki 67' is none: give small letters and digits": (2, ["--marker", "Ki 67"]),
    "are pair 1 of .* already, for ki67; now --marker says er": (1, ["--marker", "er"]),
    "holds tiles of 64 px at 2 µm/px, and 128 px at 2 µm/px were asked for": (1, ["--tile-px", "128"]),
    "-o is empty: give the folder of the training set": (2, ["-o", " "]),
    "0.05": (2, ["--tile-mpp", "0"]),
}


@pytest.mark.parametrize("words", WRONG)
def test_what_does_not_fit_is_told(label: Label, tmp_path: Path, words: str) -> None:
    label()
    before = (tmp_path / "set" / TABLE).read_bytes()

    code, told = label(*WRONG[words][1])

    assert code == WRONG[words][0]
    assert re.search(words, told)
    assert (tmp_path / "set" / TABLE).read_bytes() == before


def test_a_registration_of_other_slides_is_refused_and_nothing_is_left(
    label: Label, laid: Path, tmp_path: Path
) -> None:
    laid.write_text(laid.read_text().replace('"content_sha256": "', '"content_sha256": "0'))

    code, told = label()

    assert code == 1
    assert "registration.json is of he.png and ihc.png, not of these two slides" in told
    assert list((tmp_path / "set" / "pairs").iterdir()) == []


def test_another_scale_than_the_registration_s_is_refused(label: Label) -> None:
    code, told = label("--mpp-ihc", "0.25")

    assert code == 2
    assert "--mpp-ihc 0.25 is not what" in told


def test_one_slide_twice_is_refused(histoserve: Label, slides: tuple[Path, Path], tmp_path: Path) -> None:
    copied = shutil.copy(slides[0], tmp_path / "copy.png")

    code, told = histoserve("label", slides[0], copied, "--marker", "er", "-o", tmp_path / "set")

    assert code == 2
    assert "he.png and copy.png are the same slide" in told
    assert not (tmp_path / "set").exists()


def test_a_broken_table_is_told_before_the_work_begins(label: Label, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / TABLE).write_text("pair;tile;decision\n1;1;yes\n")

    def never(picture: Any, mpp: float) -> Reading:
        raise AssertionError("nothing may be read")

    code, told = label(read=never)

    assert code == 1
    assert "labels.csv, line 2 holds tile 1 of pair 1, which is not in this folder" in told


def test_no_tumour_anywhere_is_a_set_without_anything_to_see(label: Label, tmp_path: Path) -> None:
    assert label(read=lambda picture, mpp: Reading(0, 0, 0.0))[0] == 0

    assert {each.decision for each in read_labels(tmp_path / "set")} == {Decision.DROP}
