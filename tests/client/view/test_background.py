"""What is shown below the layers."""

import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from histoserve.client.results.layers import Grid
from histoserve.client.slide import UNREAD
from histoserve.client.view import background
from histoserve.client.view.background import Background
from histoserve.client.view.find import find_results
from histoserve.client.view.slides import SlideOnPage, group
from histoserve.client.view.zoom import tile_at


@pytest.fixture
def slide(out: Path) -> SlideOnPage:
    """discs.png with its result."""
    return group(*find_results([out]))[0][0]


def drawn(shown: Background, z: int = 0, plain: bool = False) -> NDArray[np.uint8]:
    tile = tile_at(shown.l0_size, z, 0, 0)
    assert tile
    return np.asarray(Image.open(io.BytesIO(shown.jpeg(tile, plain)[0])))


def test_the_slide_itself_is_shown_as_it_is(slide: SlideOnPage, slide_path: Path) -> None:
    shown = Background(slide, [slide_path])

    assert (shown.kind, shown.notes) == ("slide", [])
    assert np.abs(drawn(shown).astype(int) - cv2.imread(str(slide_path))[..., ::-1]).mean() < 2


def test_without_the_slide_its_part_of_the_overview_is_shown_and_said(slide: SlideOnPage, slide_path: Path) -> None:
    shown = Background(slide, None)

    assert (shown.kind, shown.notes) == ("overview", [{"code": "slide-not-given"}])
    assert np.abs(drawn(shown).astype(int) - cv2.imread(str(slide_path))[..., ::-1]).mean() < 2
    assert Background(slide, []).notes == [{"code": "slide-not-found"}]


def test_a_patient_sees_no_overview_in_which_values_are_written(slide: SlideOnPage, slide_path: Path) -> None:
    assert any(isinstance(layer, Grid) for layer in slide.results[0].saved.layers)

    assert set(drawn(Background(slide, None), plain=True).ravel()) == {UNREAD}
    assert set(drawn(Background(slide, [slide_path]), plain=True).ravel()) != {UNREAD}


@pytest.mark.parametrize("content", [None, b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_without_either_it_is_grey(slide: SlideOnPage, content: bytes | None) -> None:
    overview = slide.results[0].folder / "overview.png"
    overview.unlink() if content is None else overview.write_bytes(content)

    shown = Background(slide, None)

    assert [note["code"] for note in shown.notes] == ["slide-not-given", "no-overview"]
    assert (shown.kind, set(drawn(shown).ravel())) == ("none", {UNREAD})


def test_an_overview_cut_short_is_none(slide: SlideOnPage) -> None:
    overview = slide.results[0].folder / "overview.png"
    overview.write_bytes(overview.read_bytes()[:900])

    assert Background(slide, None).kind == "none"


def test_another_slide_is_not_shown_and_why_is_said_without_its_place(slide: SlideOnPage, slide_path: Path) -> None:
    cv2.imwrite(str(slide_path), np.zeros((9, 9, 3), np.uint8))

    shown = Background(slide, [slide_path])

    (note,) = shown.notes
    assert (shown.kind, note["code"]) == ("overview", "slide-differs")
    assert note["detail"].startswith("discs.png is not the slide that was analysed: it has 9×9 px")


def test_a_slide_that_cannot_be_opened_is_said(slide: SlideOnPage, slide_path: Path) -> None:
    slide_path.unlink()

    (note,) = Background(slide, [slide_path]).notes

    assert note == {"code": "slide-unreadable", "detail": "discs.png does not exist; give the path of a slide."}


def test_an_overview_drawn_smaller_is_enlarged_to_the_exact_place(tmp_path: Path) -> None:
    ramp = np.broadcast_to(np.linspace(0, 255, 100)[None, :, None], (50, 100, 3)).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "overview.png"), ramp)
    overview = background.open_overview(tmp_path / "overview.png", (0, 0, 100, 50), (1000, 500))
    tile = tile_at((1000, 500), 0, 1, 0)
    assert tile

    middle = overview.draw(tile)[250, :, 0].astype(float)

    expected = np.interp(np.arange(512, 1000) + 0.5, np.arange(100) * 10 + 5, ramp[0, :, 0])
    assert np.abs(middle - expected)[10:-10].max() < 2


def test_far_zooms_of_a_large_slide_without_levels_come_from_the_overview(
    slide: SlideOnPage, slide_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "MOST_READ_PX", 1000)

    shown = Background(slide, [slide_path])

    assert (shown.kind, shown.notes) == ("slide", [{"code": "coarse-from-overview"}])
    assert drawn(shown).shape == (220, 300, 3)


@pytest.fixture
def scan(tmp_path: Path, pyramid: Callable[..., Path]) -> Path:
    """A slide of noise with a pyramid."""
    image = np.random.default_rng(0).integers(0, 200, (600, 600, 3), np.uint8)
    return pyramid(tmp_path / "a.tif", image, {4: (150, 150)})


def another(path: Path) -> None:
    """A slide of the same size in place of the other."""
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(np.zeros((600, 600, 3), np.uint8), tile=(64, 64), photometric="rgb")


GONE: dict[str, Callable[[Path], object]] = {
    "deleted": lambda path: path.unlink(),
    "emptied": lambda path: path.write_bytes(b""),
    "overwritten": lambda path: path.write_bytes(bytes(9999)),
    "another slide": another,
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("how", GONE.values(), ids=GONE.keys())
def test_a_slide_that_goes_away_in_the_middle_is_grey_until_it_is_back(
    tmp_path: Path, write: Callable[..., Path], scan: Path, how: Callable[[Path], object]
) -> None:
    kept = Path(shutil.copy(scan, tmp_path / "kept"))
    shown = Background(group(*find_results([write(tmp_path / "o", scan)]))[0][0], [scan])
    before = drawn(shown)
    tile = tile_at((600, 600), 0, 0, 0)
    assert tile

    how(scan)
    jpeg, whole = shown.jpeg(tile)

    assert not whole
    assert set(np.asarray(Image.open(io.BytesIO(jpeg))).ravel()) == {UNREAD}
    if scan.is_dir():
        scan.rmdir()
    shutil.copy(kept, scan)
    np.testing.assert_array_equal(drawn(shown), before)


def test_a_slide_that_was_only_touched_is_the_same(tmp_path: Path, write: Callable[..., Path], scan: Path) -> None:
    shown = Background(group(*find_results([write(tmp_path / "o", scan)]))[0][0], [scan])
    os.utime(scan, (1, 1))

    assert drawn(shown).std() > 20
