"""The phantom as a user gets it: files, their bytes, and what OpenSlide reads from them."""

import json
from pathlib import Path

import numpy as np
import openslide
import pytest

from histoserve.phantom import write_phantom
from histoserve.phantom.he.slide import HeSlide

SIZE, MPP, SEED = (1000, 700), 0.25, 5


def bytes_of(path: Path, **changed: object) -> bytes:
    arguments: dict = {"kind": "he", "size": (300, 300), "mpp": 0.5, "seed": 1, "truth": None} | changed
    write_phantom(path, **arguments)
    return path.read_bytes()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A slide and its truth."""
    folder = tmp_path_factory.mktemp("phantom")
    slide, truth = folder / "slide.tiff", folder / "truth.geojson"
    write_phantom(slide, kind="he", size=SIZE, mpp=MPP, seed=SEED, truth=truth)
    return slide, truth


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    truths = tmp_path / "a.json", tmp_path / "b.json"
    slides = [bytes_of(tmp_path / "slide.tiff", truth=truth) for truth in truths]

    assert slides[0] == slides[1]
    assert truths[0].read_bytes() == truths[1].read_bytes()


def test_another_seed_gives_another_slide(tmp_path: Path) -> None:
    assert bytes_of(tmp_path / "a.tiff") != bytes_of(tmp_path / "b.tiff", seed=2)


def test_openslide_finds_levels_and_resolution(written: tuple[Path, Path]) -> None:
    with openslide.OpenSlide(written[0]) as slide:
        assert slide.level_dimensions == (SIZE, (250, 175))
        assert slide.properties["openslide.vendor"] == "generic-tiff"
        assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(MPP, rel=1e-6)
        assert float(slide.properties["openslide.mpp-y"]) == pytest.approx(MPP, rel=1e-6)


def test_openslide_shows_the_colours_that_were_drawn(written: tuple[Path, Path]) -> None:
    drawn = HeSlide(SIZE, MPP, SEED).draw((0, 0, *SIZE)).astype(int)

    with openslide.OpenSlide(written[0]) as slide:
        read = np.asarray(slide.read_region((0, 0), 0, SIZE).convert("RGB")).astype(int)
        coarse = np.asarray(slide.read_region((0, 0), 1, (250, 175)).convert("RGB")).astype(int)

    shrunk = drawn.reshape(175, 4, 250, 4, 3).mean(axis=(1, 3))
    assert abs(read - drawn).mean() < 3
    assert abs((read - drawn).mean(axis=(0, 1))).max() < 0.5
    assert abs(coarse - shrunk).mean() < 3


def test_truth_names_all_four_types_within_the_slide(written: tuple[Path, Path]) -> None:
    truth = json.loads(written[1].read_text())
    rings = np.concatenate([one["geometry"]["coordinates"][0] for one in truth["features"]])

    names = {(one["properties"]["type"], one["properties"]["name"]) for one in truth["features"]}

    assert truth["phantom"] == {"kind": "he", "seed": SEED, "mpp": MPP, "size": list(SIZE)}
    assert names == {(1, "other"), (2, "inflammatory"), (3, "epithelial"), (4, "spindle")}
    assert np.all((rings >= 0) & (rings <= SIZE))
    assert [one["id"] for one in truth["features"]] == list(range(1, len(truth["features"]) + 1))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"kind": "hologram"}, "'hologram': choose one of .*cytology, he, "),
        ({"size": (0, 5)}, "0x5"),
        ({"mpp": 0.0}, "mpp is 0.0"),
        ({"mpp": float("nan")}, "mpp is nan"),
        ({"seed": -1}, "it is -1"),
    ],
)
def test_what_cannot_be_drawn_is_refused_and_leaves_no_file(tmp_path: Path, changed: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bytes_of(tmp_path / "slide.tiff", **changed)

    assert list(tmp_path.iterdir()) == []
