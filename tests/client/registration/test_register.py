"""Sections laid on each other, and what is refused, each in a sentence."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_up_sections import MPP, SIZE, he, ihc, save

from histoserve.client.errors import HistoserveError, OutputError, SlideError, WrongUsage
from histoserve.client.registration.affine import IDENTITY, Matrix, applied, moving
from histoserve.client.registration.command import register_files
from histoserve.client.registration.register import NotRegistered
from histoserve.client.registration.registration import Registration

CORNERS = np.array([(100, 80), (330, 80), (330, 260), (100, 260)], float)
"""In px of the H&E, about its tissue."""


OTHERS = json.dumps({"he": {"content_sha256": "a"}, "ihc": {"content_sha256": "b"}}).encode()
"""Of two other slides."""


def turned(degrees: float, across: float, down: float) -> Matrix:
    """About the middle of the picture."""
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag([across, down])
    middle = np.array(SIZE) / 2
    return np.column_stack([turn, middle - turn @ middle + (5, -8)])


def worst_px(found: Registration, matrix: Matrix) -> float:
    return float(np.hypot(*(found.to_ihc(CORNERS) - applied(matrix, CORNERS)).T).max())


def files(folder: Path, one: np.ndarray, other: np.ndarray) -> tuple[Path, Path]:
    return save(one, folder / "he.png"), save(other, folder / "ihc.png")


def test_a_mirrored_turned_and_stretched_section_is_found_with_the_same_bytes_each_time(
    tmp_path: Path,
) -> None:
    matrix = turned(200, -0.9, 0.95)
    he_file, ihc_file = files(tmp_path, he(1), ihc(1, matrix))
    found, told = register_files(he_file, ihc_file, tmp_path / "one", MPP, MPP)
    register_files(he_file, ihc_file, tmp_path / "two", MPP, MPP)
    assert worst_px(found, matrix) < 1
    assert found.mirrored
    assert any("mirrored to the H&E" in line for line in told)
    for name in ("registration.json", "checkerboard.png"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert Registration.load(tmp_path / "one" / "registration.json").described() == found.described()
    assert found.residual_um((180, 140, 50, 50)) < MPP


def test_40x_against_20x_is_no_difference(tmp_path: Path) -> None:
    twice = cv2.resize(he(2), None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    matrix = turned(30, 1, 1)
    found, _ = register_files(*files(tmp_path, twice, ihc(2, matrix)), tmp_path / "out", MPP / 2, MPP)
    assert np.hypot(*(found.to_ihc(2 * CORNERS) - applied(matrix, CORNERS)).T).max() < 1


def test_tissue_cut_off_by_the_slides_edge_is_laid_where_it_belongs(tmp_path: Path) -> None:
    pair = files(tmp_path, he(3, whole=True), ihc(3, moving((-130, 40)), whole=True))
    found, told = register_files(*pair, tmp_path / "out", MPP, MPP)
    assert worst_px(found, moving((-130, 40))) < 1.5
    assert any("of the H&E's tissue has no counterpart" in line for line in told)


def test_a_piece_of_which_there_are_two_on_the_he_is_laid_on_its_own(tmp_path: Path) -> None:
    found, told = register_files(*files(tmp_path, np.hstack([he(4), he(5)]), ihc(4)), tmp_path / "out", MPP, MPP)
    assert worst_px(found, IDENTITY) < 1.5
    assert any("of the H&E's tissue has no counterpart" in line for line in told)


@pytest.mark.parametrize(("one", "other"), [(1, 7), (6, 2)])
def test_different_tissue_is_refused(tmp_path: Path, one: int, other: int) -> None:
    with pytest.raises(NotRegistered, match=r"ihc.png cannot be laid on he.png\. .*different tissue|not the same"):
        register_files(*files(tmp_path, he(one), ihc(other)), tmp_path / "out", MPP, MPP)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("scrap", [np.s_[160:180, 200:230], np.s_[170:176]], ids=["30×20 px", "a strip"])
def test_a_scrap_is_too_little(tmp_path: Path, scrap: tuple[slice, ...]) -> None:
    with pytest.raises(NotRegistered, match=r"ihc.png cannot be laid on he.png"):
        register_files(*files(tmp_path, he(1)[scrap], ihc(1)[scrap]), tmp_path / "out", MPP, MPP)


def test_a_wrong_scale_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotRegistered, match=r"ihc.png cannot be laid on he.png"):
        register_files(*files(tmp_path, he(1), ihc(1)), tmp_path / "out", MPP, MPP / 4)


def test_a_copy_is_refused(tmp_path: Path) -> None:
    ihc_file = save(ihc(1), tmp_path / "ihc.png")
    cv2.imwrite(str(tmp_path / "copy.jpg"), cv2.imread(str(ihc_file)))
    with pytest.raises(NotRegistered, match=r"copy.jpg cannot be laid on ihc.png\. Both show the same picture"):
        register_files(ihc_file, tmp_path / "copy.jpg", tmp_path / "out", MPP, MPP)


@pytest.mark.parametrize(
    ("one", "other", "said", "kind"),
    [
        (np.full((300, 400, 3), 243, np.uint8), ihc(1), "he.png shows no tissue", SlideError),
        (he(1), np.full((300, 400, 3), 243, np.uint8), "ihc.png shows no tissue", SlideError),
        (he(1), he(1), "are the same slide", NotRegistered),
        (he(1), he(2), "colours are those of H&E.*stained for the marker", NotRegistered),
        (ihc(1), he(1), "given in the wrong order", NotRegistered),
    ],
    ids=["empty HE", "empty IHC", "the same", "H&E as IHC", "wrong order"],
)
def test_what_cannot_be_a_pair_is_told_at_once(
    tmp_path: Path, one: np.ndarray, other: np.ndarray, said: str, kind: type[HistoserveError]
) -> None:
    with pytest.raises(kind, match=said):
        register_files(*files(tmp_path, one, other), tmp_path / "out", MPP, MPP)
    assert not (tmp_path / "out").exists()


def test_without_um_per_px_the_right_option_is_named(tmp_path: Path) -> None:
    pair = files(tmp_path, he(1), ihc(1))
    with pytest.raises(SlideError, match=r"he.png does not say how large .* with --mpp, for example --mpp 0"):
        register_files(*pair, tmp_path / "out")
    with pytest.raises(SlideError, match=r"ihc.png does not say how large .* with --mpp-ihc, for"):
        register_files(*pair, tmp_path / "out", MPP)
    with pytest.raises(WrongUsage, match=r"--mpp-ihc 800 is implausible"):
        register_files(*pair, tmp_path / "out", MPP, 800)


@pytest.mark.parametrize("there", [b"{}", b"\xff", OTHERS])
def test_what_is_in_the_way_is_kept(tmp_path: Path, there: bytes) -> None:
    (tmp_path / "registration.json").write_bytes(there)
    with pytest.raises(OutputError, match=r"registration.json is .*Give another folder with -o"):
        register_files(*files(tmp_path, he(1), ihc(1)), tmp_path, MPP, MPP)
    assert (tmp_path / "registration.json").read_bytes() == there
