"""Whether a file is the slide that was analysed."""

import os
import shutil
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from histoserve.client.errors import HistoserveError, WrongUsage
from histoserve.client.view.command import files_of
from histoserve.client.view.find import find_results
from histoserve.client.view.match import OtherSlide, candidates, open_matching
from histoserve.client.view.result import SlideSaid
from histoserve.client.view.slides import group


@pytest.fixture
def said(out: Path) -> SlideSaid:
    """What the result says of discs.png."""
    return find_results([out])[0][0].slide


def test_the_same_bytes_are_the_slide_whatever_it_is_called(said: SlideSaid, slide_path: Path) -> None:
    renamed = slide_path.rename(slide_path.with_name("anything.bin"))

    slide, same_bytes = open_matching([renamed], said)

    assert (slide.l0_size, same_bytes) == ((300, 220), True)


def test_other_bytes_of_that_name_and_size_are_taken_and_said(said: SlideSaid, slide_path: Path) -> None:
    slide_path.write_bytes(slide_path.read_bytes() + b"\0")

    assert open_matching([slide_path], said)[1] is False


def test_another_name_and_other_bytes_are_another_slide(said: SlideSaid, slide_path: Path) -> None:
    other = slide_path.with_name("other.png")
    other.write_bytes(slide_path.read_bytes() + b"\0")

    with pytest.raises(OtherSlide, match=r"other.png is not the slide that was analysed: that one is called discs.png"):
        open_matching([other], said)


def test_another_size_is_another_slide(said: SlideSaid, slide_path: Path) -> None:
    with pytest.raises(OtherSlide, match="it has 300×220 px, that one 300×221 px"):
        open_matching([slide_path], replace(said, l0_size=(300, 221), content="ab"))


def test_another_scale_is_another_slide_unless_the_user_gave_it(tmp_path: Path, pyramid: Callable[..., Path]) -> None:
    path = pyramid(tmp_path / "a.tif", np.full((100, 100, 3), 9, np.uint8), {})
    said = SlideSaid("a.tif", (100, 100), 0.5, False, None, "ab")

    with pytest.raises(OtherSlide, match=r"it has 0.25 µm/px, that one 0.5 µm/px"):
        open_matching([path], said)
    assert open_matching([path], replace(said, mpp_given=True))
    assert open_matching([path], replace(said, mpp=0.2501))


def test_a_file_that_states_no_scale_is_not_the_one_that_did(said: SlideSaid, slide_path: Path) -> None:
    with pytest.raises(OtherSlide, match=r"states no usable µm/px, that one 0.25"):
        open_matching([slide_path], replace(said, mpp_given=False, content="ab"))


def test_of_two_files_of_a_name_the_one_with_the_bytes_is_taken(said: SlideSaid, slide_path: Path) -> None:
    other = slide_path.parent / "before" / "discs.png"
    other.parent.mkdir()
    other.write_bytes(slide_path.read_bytes() + b"\0")

    found = candidates(slide_path.parent, {"discs.png"})["discs.png"]

    assert set(found) == {slide_path, other}
    slide, same = open_matching(found, said)
    assert (slide.path, same) == (slide_path, True)


def test_a_name_that_leads_elsewhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "slides").mkdir()
    (tmp_path / "secret.png").touch()

    assert candidates(tmp_path / "slides", {"../secret.png"}) == {"../secret.png": []}


@pytest.mark.parametrize("name", [b"no\xff.png", "Mu\u0308ller.png".encode(), b"<b>&'.png", b"a\nb.png", b"%2e.png"])
def test_any_name_is_found(tmp_path: Path, write: Callable[..., Path], slide_path: Path, name: bytes) -> None:
    slide = slide_path.rename(slide_path.with_name(os.fsdecode(name)))
    said = find_results([write(tmp_path / "out", slide)])[0][0].slide
    slide.write_bytes(slide.read_bytes() + b"\0")

    composed = unicodedata.normalize("NFC", said.name)
    found = candidates(tmp_path, {composed})[composed]

    assert open_matching(found, replace(said, name=composed))[0].path == slide


def test_linked_folders_are_looked_into_once(tmp_path: Path, slide_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "round").symlink_to(tmp_path)
    (tmp_path / "b").symlink_to(slide_path.parent)

    assert candidates(tmp_path / "b", {"discs.png"}) == {"discs.png": [tmp_path / "b" / "discs.png"]}
    assert len(candidates(tmp_path, {"discs.png"})["discs.png"]) == 1


def test_a_file_named_is_that_of_one_of_several_slides_or_refused(
    out: Path, write: Callable[..., Path], slide_path: Path, tmp_path: Path
) -> None:
    second = Path(shutil.copy(slide_path, tmp_path / "second.png"))
    second.write_bytes(second.read_bytes() + b"\0")
    write(out, second)
    slides, _ = group(*find_results([out]))

    assert files_of(second, slides) == {"second.png": [second]}
    second.write_bytes(b"\x89PNG")
    with pytest.raises(HistoserveError, match=r"second.png"):
        files_of(second, slides)
    with pytest.raises(WrongUsage, match=r"--slide .*nothing does not exist"):
        files_of(tmp_path / "nothing", slides)
