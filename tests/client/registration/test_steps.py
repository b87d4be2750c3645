"""The steps of a registration, each on what a person can check."""

from pathlib import Path

import numpy as np
import pytest
from made_up_sections import MPP, he, ihc, save

from histoserve.client.registration.affine import IDENTITY, Matrix, applied, moving
from histoserve.client.registration.agreed import agreed
from histoserve.client.registration.correlation import canvas_for, correlation, spectra
from histoserve.client.registration.density import glass_of, is_tissue
from histoserve.client.registration.even import evened
from histoserve.client.registration.mutual import mutual_information
from histoserve.client.registration.patches import measured
from histoserve.client.registration.stain import EOSIN, eosin_share
from histoserve.client.registration.view import View, look, look_closer, tissue_box_um
from histoserve.client.slide import open_slide


def view(picture: np.ndarray, mpp: float = MPP) -> View:
    to_um = np.array([[mpp, 0, 0], [0, mpp, 0]])
    return View(picture, np.ones(picture.shape[:2], bool), to_um, glass_of(picture.reshape(-1, 3)))


def test_correlation_finds_a_shift_among_what_both_have_a_picture_of() -> None:
    pattern = np.random.default_rng(0).random((6, 7)).astype(np.float32)
    one, other, nobody_saw = (np.zeros((20, 24), np.float32) for _ in range(3))
    one[5:11, 8:15] = other[2:8, 3:10] = pattern
    # What one of them has no picture of may show anything.
    other[12:] = 9
    nobody_saw[:12] = 1
    canvas = canvas_for((20, 24), 30)
    all_of = np.ones_like(one)
    scores = correlation(spectra(one, all_of, all_of, canvas), spectra(other, nobody_saw, nobody_saw, canvas))
    assert np.unravel_index(scores.argmax(), scores.shape) == (3, 5)
    assert scores.max() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("picture", [he(1), ihc(1)], ids=["he", "ihc"])
def test_tissue_is_found_in_either_stain_and_dust_is_not(picture: np.ndarray) -> None:
    dirty = picture.copy()
    dirty[5:8, 5:8] = 90
    seen = view(dirty)
    assert not seen.tissue[:20, :20].any()
    assert 0.2 < seen.tissue.mean() < 0.7


def test_glass_alone_is_no_tissue() -> None:
    uneven = np.linspace(0, 0.012, 100 * 100, dtype=np.float32).reshape(100, 100)
    assert not is_tissue(uneven, 8.0).any()


def test_he_is_told_from_ihc_by_its_eosin() -> None:
    assert eosin_share(view(he(1))) > 1.5 * EOSIN
    assert eosin_share(view(ihc(1))) < EOSIN / 1.5


def test_patches_tell_which_way_and_how_far_the_ihc_must_still_go() -> None:
    # The tissue lies 3 px right of and 2 px above where the matrix has it: back it must go, left and down.
    found = measured(view(he(1)), view(ihc(1, moving((3, -2)))), IDENTITY, 30 * MPP)
    assert len(found) > 10
    np.testing.assert_allclose(
        np.median([each.shift_um for each in found], axis=0), (-3 * MPP, 2 * MPP), atol=0.15 * MPP
    )


@pytest.mark.parametrize("true", [moving((3, -2)), np.array([[1.01, 0.006, -2], [-0.004, 0.992, 1]])])
def test_patches_that_agree_move_the_matrix_to_where_they_lie(true: Matrix) -> None:
    corners = np.array([(100, 80), (330, 80), (330, 260), (100, 260)]) * MPP
    found = evened(view(he(1)), view(ihc(1, true)), IDENTITY)
    away = applied(found, corners) - applied(true, corners / MPP) * MPP
    assert np.abs(away).max() < 0.5 * MPP


def test_patches_of_other_tissue_move_nothing() -> None:
    assert evened(view(he(1)), view(ihc(7)), IDENTITY) is IDENTITY


def test_a_piece_that_was_torn_off_does_not_draw_the_others_along() -> None:
    corners = np.array([(100, 80), (330, 80), (330, 260), (100, 260)]) * MPP
    true = moving((5, -4))
    torn = ihc(1, true)
    torn[:, 280:] = np.roll(torn, (14, 10), axis=(0, 1))[:, 280:]

    found = agreed(view(he(1)), view(torn), IDENTITY)

    assert found is not None
    away = applied(found, corners) - applied(true, corners / MPP) * MPP
    assert np.abs(away).max() < MPP


def test_patches_of_other_tissue_agree_on_nothing_like_a_section() -> None:
    found = agreed(view(he(1)), view(ihc(7)), IDENTITY)

    assert found is None or mutual_information(view(he(1)), view(ihc(7)), found) < 0.5 * mutual_information(
        view(he(1)), view(ihc(1)), IDENTITY
    )


def test_mutual_information_is_most_where_they_fit() -> None:
    pair = view(he(1)), view(ihc(1))
    told = [mutual_information(*pair, moving((shift * MPP, 0))) for shift in (-8, 0, 8)]
    assert told[1] > 1.2 * max(told[0], told[2])


def test_a_closer_look_knows_where_it_lies_and_leaves_the_padding_out(tmp_path: Path) -> None:
    picture = np.full((900, 1300, 3), 120, np.uint8)
    picture[100:440, 700:1140] = he(1)
    with open_slide(save(picture, tmp_path / "padded.png")) as slide:
        whole = look(slide, MPP)
        close = look_closer(slide, MPP, whole, MPP)
    alone = tissue_box_um(view(he(1)))
    x, y, width, height = tissue_box_um(close)
    assert (x - 700 * MPP, y - 100 * MPP, width, height) == pytest.approx(alone, abs=3 * MPP)
    assert close.rgb.shape[1] < 450
    assert not whole.pictured[:90].any()
