"""What is read of a registration, and how one slide is read through it."""

import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from histoserve.client.errors import WrongUsage
from histoserve.client.registration.registration import Patch, Registration, Section
from histoserve.client.registration.through import read_through
from histoserve.client.slide import open_slide

QUARTER_TURN = np.array([[0, -1, 400], [1, 0, 20]], float)
"""x of the H&E is y of the IHC."""


def registration(matrix: np.ndarray = QUARTER_TURN, patches: tuple[Patch, ...] = ()) -> Registration:
    return Registration(
        Section("he.png", (300, 200), 2.0, "a" * 64),
        Section("ihc.png", (400, 320), 2.0, "b" * 64),
        matrix,
        patches,
        100,
    )


def test_a_place_goes_to_the_ihc_and_back() -> None:
    assert registration().to_ihc([(10, 50)]).tolist() == [[350, 30]]
    np.testing.assert_allclose(registration().to_he(registration().to_ihc([(7, 9), (250, 3)])), [(7, 9), (250, 3)])


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    wanted = registration(patches=(Patch((1.5, 2), (3, 4)),))
    (tmp_path / "registration.json").write_text(json.dumps(wanted.described()))
    found = Registration.load(tmp_path / "registration.json")
    assert found.described() == wanted.described()
    assert not found.mirrored


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"matrix": [[1, 0, 0], [0, 0, 0]]}, "lead there and back"),
        ({"matrix": [[1, 0, 0], [0, math.nan, 0]]}, "lead there and back"),
        ({"schema": 2}, "schema 1 was wanted"),
        ({"he": {"name": "he.png"}}, "content_sha256"),
        ({"patches": [{"he": [1], "shift_um": [1, 2]}]}, "not enough values"),
        ({"patch_reach_um": "far"}, "far"),
    ],
)
def test_what_is_no_registration_is_told(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    (tmp_path / "r.json").write_text(json.dumps({**registration().described(), **change}))
    with pytest.raises(WrongUsage, match=rf"r.json is no registration.*{said}.*histoserve register"):
        Registration.load(tmp_path / "r.json")


@pytest.mark.parametrize("content", [b"", b"[1, 2]", b"{}", b"\xff\xfe{}", b"[" * 100_000])
def test_a_file_of_something_else_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "r.json").write_bytes(content)
    with pytest.raises(WrongUsage, match=r"r.json is no"):
        Registration.load(tmp_path / "r.json")


def test_the_residual_is_that_of_the_patches_near_by() -> None:
    found = registration(patches=(Patch((0, 0), (3, 4)), Patch((20, 0), (6, 8)), Patch((500, 0), (60, 80))))
    assert found.residual_um((-5, -5, 10, 10)) == 5
    assert found.residual_um((12, -5, 10, 10)) == 10
    # One of four that was found far away is an error, two are a tear.
    around = [
        Patch((x, y), shift) for x, y, shift in ((0, 0, (3, 4)), (20, 0, (3, 4)), (0, 20, (3, 4)), (20, 20, (80, 0)))
    ]
    assert registration(patches=tuple(around)).residual_um((5, 5, 8, 8)) == 5
    torn = [*around[:2], Patch((0, 20), (80, 0)), around[3]]
    assert registration(patches=tuple(torn)).residual_um((5, 8, 10, 10)) == 80
    # Nothing was measured there: whoever asks whether it is small enough is told no.
    assert found.residual_um((200, 0, 10, 10)) == math.inf


@pytest.mark.parametrize("turn", [QUARTER_TURN, np.array([[1.02, 0.3, 30], [-0.3, 1.02, 95]])])
def test_the_ihc_is_read_as_it_lies_under_the_he(tmp_path: Path, turn: np.ndarray) -> None:
    # A picture whose colours are its own coordinates: any shift by half a pixel would show.
    y, x = np.mgrid[:320, :400] + 0.5
    cv2.imwrite(str(tmp_path / "ihc.png"), np.stack([np.zeros_like(x), y / 2, x / 2], axis=-1).round().astype(np.uint8))
    found, window = registration(turn), (60, 40, 80, 60)
    with open_slide(tmp_path / "ihc.png") as ihc:
        pixels = read_through(ihc, found, window, (40, 30))
    rows, columns = np.mgrid[:30, :40] + 0.5
    wanted = found.to_ihc(np.stack([60 + 2 * columns, 40 + 2 * rows], axis=-1)).reshape(30, 40, 2)
    assert np.abs(pixels[..., :2] * 2.0 - wanted).max() < 2.5


def test_beyond_the_ihc_all_is_white(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "ihc.png"), np.zeros((320, 400, 3), np.uint8))
    with open_slide(tmp_path / "ihc.png") as ihc:
        pixels = read_through(ihc, registration(np.array([[1.0, 0, 0], [0, 1, 0]])), (-50, 20, 100, 100), (50, 50))
        far = read_through(ihc, registration(np.array([[1.0, 0, 0], [0, 1, 0]])), (-5000, 20, 100, 100), (50, 50))
    assert (pixels[:, :24] == 255).all()
    assert not pixels[:, 26:].any()
    assert (far == 255).all()
