"""What the peakmap networks are trained on."""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from interrupted import interrupted_once, same

from histoserve.export.peakmap import train_head as head
from histoserve.export.peakmap.bags import bag_of, joined, made_up, without
from histoserve.export.peakmap.calibrate import logistic_line
from histoserve.export.peakmap.classes import TYPES, slide_class
from histoserve.export.peakmap.lesions import UNKNOWN, batch_of, corner_of_crop, crop, targets, turned, turned_outline
from histoserve.export.peakmap.network import served
from histoserve.export.peakmap.rows import Rows, read_rows, write_rows
from histoserve.export.peakmap.smears import (
    EXTRACTOR_SEED,
    HEAD_SEED,
    VALIDATION_SEED,
    LabelledSmear,
    draw_smears,
    read_smear,
    smear_from_seed,
    tile_corners,
    tiles_of,
    write_smear,
)
from histoserve.export.peakmap.train import selection, train
from histoserve.export.peakmap.train_head import train_heads
from histoserve.export.peakmap.validation import average_precision

ASCUS, LSIL, HSIL = range(3)


def square(x: float, y: float, half: float = 10) -> np.ndarray:
    return np.array([(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)])


@pytest.mark.parametrize(
    ("types", "expected"), [([], 0), ([ASCUS], 1), ([LSIL, ASCUS], 1), ([LSIL, HSIL], 2), ([HSIL], 2)]
)
def test_the_class_of_a_slide_follows_from_its_lesions(types: list[int], expected: int) -> None:
    assert slide_class(types) == expected


def test_the_last_tiles_are_shifted_inward() -> None:
    assert tile_corners((5, 3, 3), side=3) == [(0, 0), (0, 2)]


def test_a_kept_smear_is_the_drawn_one(tmp_path: Path) -> None:
    drawn, kept = smear_from_seed(10_000_001, (512, 512)), read_smear(write_smear(tmp_path, 512, 10_000_001))
    assert np.abs(kept.image.astype(int) - drawn.image).max() <= 4
    assert kept.types.tolist() == drawn.types.tolist()
    assert len(kept.outlines) == len(drawn.outlines)
    assert all(np.array_equal(a, b) for a, b in zip(kept.outlines, drawn.outlines, strict=True))


def test_only_smears_that_are_not_there_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (write_smear(tmp_path, 128, seed) for seed in (10_000_001, 10_000_002))
    with monkeypatch.context() as patched:
        patched.setattr(ProcessPoolExecutor, "submit", None)
        assert draw_smears(tmp_path, [10_000_002, 10_000_001], 128) == [second, first]
    content = second.read_bytes()
    second.unlink()
    assert draw_smears(tmp_path, [10_000_001, 10_000_002], 128) == [first, second]
    assert second.read_bytes() == content


def test_glass_is_no_tile() -> None:
    image = np.full((128, 384, 3), 240, np.uint8)
    image[40:60, 300:320] = (90, 80, 140)
    corners, tiles = tiles_of(image)
    assert corners.tolist() == [[256, 0]]
    assert tiles.shape == (1, 128, 128, 3)


def test_targets_by_hand() -> None:
    label, heat, sides, known, mask = targets([(LSIL, square(36, 20)), (HSIL, square(130, 64))])
    assert label.tolist() == [0, 1, UNKNOWN]
    # The centre, 36, 20, lies in the cell of column 4, row 2, the box 10 px = 1.25 cells around it.
    assert np.argwhere(heat == 1).tolist() == [[LSIL, 2, 4]]
    assert sides[:, 2, 4].tolist() == [1.25] * 4
    assert not known[0, 6:9, 15].any()
    assert (mask[5:15, 13:23] == 1 + LSIL).all()
    assert (mask[27:37, 60:] == 1 + HSIL).all()


@pytest.mark.parametrize("turn", [(0, 0, 1), (1, 0, 0), (0, 1, 0), (1, 1, 1)])
def test_outlines_turn_with_their_image(turn: tuple[int, ...]) -> None:
    image = np.zeros((128, 128, 3), np.uint8)
    image[10:30, 50:70] = 1
    (left, top), (right, bottom) = (f(turned_outline(square(60, 20), np.array(turn)), 0) for f in (np.min, np.max))
    rows, columns = np.nonzero(turned(image, np.array(turn))[:, :, 0])
    assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == (left, top, right, bottom)


def test_half_of_the_crops_hold_a_lesion() -> None:
    image = np.full((512, 512, 3), 200, np.uint8)
    slide = LabelledSmear(image, np.array([ASCUS, LSIL, HSIL]), [square(99, 99), square(400, 90), square(200, 400)])
    random = np.random.default_rng(0)
    hard = np.array([[0, 384, 384]])
    batch = batch_of([crop(*corner_of_crop([slide], hard, random), random) for _ in range(200)])
    assert 0.5 < float((batch.label == 1).any(1).float().mean()) < 0.75
    assert all(0.1 < float((batch.label[:, t] == 1).float().mean()) < 0.35 for t in range(len(TYPES)))


def test_average_precision_by_hand() -> None:
    score, truth = np.array([0.9, 0.8, 0.7, 0.6]), np.array([1.0, 0, UNKNOWN, 1])
    assert average_precision(score, truth) == pytest.approx((1 + 2 / 3) / 2)


def test_the_calibrated_score_is_a_half_where_both_are_as_likely() -> None:
    random = np.random.default_rng(0)
    logit = np.concatenate([random.normal(3, 1, 200), random.normal(1, 1, 4000)])
    scale, shift = logistic_line(logit, np.arange(4200) < 200)
    assert scale * 2 + shift == pytest.approx(0, abs=0.2)
    assert scale == pytest.approx(2, rel=0.2)


def rows(types: list[int], shows: list[list[int]], tiles: int = 6) -> Rows:
    """Tile t scores high for the types of the lesions that it shows; its map and feature say which."""
    seen = np.zeros((tiles, len(types)), bool)
    score = np.full((tiles, 3), 0.1, np.float32)
    maps = np.zeros((tiles, 4, 1, 1), np.float16)
    for lesion, where in enumerate(shows):
        seen[where, lesion] = True
        score[where, types[lesion]] = 0.9
        maps[where, types[lesion]] = 1
    region = np.array([(128 * t, 0, 128, 128) for t in range(tiles)], np.float32)
    candidate = np.flatnonzero((score >= 0.5).any(1))
    return Rows(region, score, maps.reshape(tiles, 4), candidate, maps[candidate], np.array(types, np.int64), seen)


def test_a_dropped_lesion_goes_with_its_tiles_and_what_else_they_show() -> None:
    # Lesion 0 is on tiles 0 and 1, lesion 1 on 1 and 2, lesion 2 on 4.
    slide = rows([ASCUS, HSIL, LSIL], [[0, 1], [1, 2], [4]])
    left = without(slide, np.array([True, False, False]))
    assert left.region[:, 0].tolist() == [3 * 128, 4 * 128, 5 * 128]
    assert left.types.tolist() == [LSIL]
    assert left.candidate.tolist() == [1]
    assert left.shows.tolist() == [[False], [True], [False]]


def test_joined_slides_keep_all_tiles_apart() -> None:
    both = joined([rows([ASCUS], [[2]]), rows([HSIL], [[3]])])
    assert len(np.unique(both.region, axis=0)) == 12
    assert both.candidate.tolist() == [2, 9]
    assert slide_class(both.types) == 2


def test_made_up_slides_have_every_class_and_peaks_that_fit_it() -> None:
    slides = [rows([], []), rows([ASCUS, LSIL, LSIL], [[0], [1], [2]]), rows([HSIL, ASCUS, HSIL], [[3], [4], [5]])]
    random = np.random.default_rng(0)
    bags = [bag_of(made_up(slides, random), 10, 0.5) for _ in range(200)]
    assert all(np.bincount([bag.label for bag in bags], minlength=3) > 30)
    for bag in bags:
        present = (bag.score >= 0.5).any(0).tolist()
        assert bag.label == slide_class(np.flatnonzero(present))
        assert not bag.maps[0].any()
        assert [int(each) == 0 for each in bag.index[:, 0]] == [not each for each in present]


def test_rows_are_kept_to_the_last_bit(tmp_path: Path) -> None:
    slide = rows([ASCUS, HSIL], [[0, 1], [2]])
    write_rows(tmp_path / "1.npz", slide)
    again = read_rows(tmp_path / "1.npz")
    assert all(np.array_equal(getattr(again, name), getattr(slide, name)) for name in slide.__dataclass_fields__)


def test_head_and_baselines_are_trained_on_the_same_bags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("VALIDATION_BAGS", 20), ("EPOCHS", 1), ("STEPS", 3), ("BATCH", 8)):
        monkeypatch.setattr(f"histoserve.export.peakmap.train_head.{name}", value)
    slides = [rows([], []), rows([ASCUS, LSIL], [[0], [1]]), rows([HSIL, ASCUS], [[3], [4]])]
    slides += [replace(slide, score=slide.score * 0.95) for slide in slides]
    weights = train_heads(slides, slides, tmp_path, k=10, threshold=0.5, seed=0)
    again = train_heads(slides, slides, tmp_path / "again", k=10, threshold=0.5, seed=0)
    assert set(weights) == {"head", "mean", "statistics"}
    for name, state in weights.items():
        assert all(torch.equal(tensor, again[name][key]) for key, tensor in state.items())


@pytest.mark.parametrize("at", [1, 4])
def test_the_heads_of_peakmap_go_on_to_the_bit_with_dropout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    # Three networks of three epochs each: the first is interrupted, or the second.
    for name, value in (("VALIDATION_BAGS", 4), ("EPOCHS", 3), ("STEPS", 2), ("BATCH", 4)):
        monkeypatch.setattr(head, name, value)
    slides = [rows([], []), rows([0, 1], [[0], [1]]), rows([2, 0], [[3], [4]])]

    def train(out: Path) -> dict[str, dict[str, torch.Tensor]]:
        return head.train_heads(slides, slides, out, k=10, threshold=0.5, seed=0)

    whole, figures = train(tmp_path / "whole"), head.figures
    monkeypatch.setattr(head, "figures", interrupted_once(figures, at))
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "cut")
    monkeypatch.setattr(head, "figures", figures)
    resumed = train(tmp_path / "cut")
    assert all(same(state, resumed[name]) for name, state in whole.items())


def test_the_head_learns_from_the_peaks_that_are_served() -> None:
    assert selection() == (10, 0.5)


@pytest.mark.slow
def test_a_whole_training_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = {
        "train": {"SLIDES": {EXTRACTOR_SEED: 3, HEAD_SEED: 3, VALIDATION_SEED: 6}, "SIDE_PX": 512},
        "train_extractor": {"STEPS": 2, "BATCH": 4},
        "train_head": {"EPOCHS": 1, "STEPS": 2, "BATCH": 4, "VALIDATION_BAGS": 4},
    }
    for module, constants in small.items():
        for name, value in constants.items():
            monkeypatch.setattr(f"histoserve.export.peakmap.{module}.{name}", value)
    weights = torch.load(train(tmp_path, epochs=2), weights_only=True)
    assert [graph.model for graph in served(weights)] == ["peakmap_network", "peakmap_encoder", "peakmap_classifier"]
    # The rows of the first run are read, not made again; the trained parts are taken as they are.
    monkeypatch.setattr("histoserve.export.peakmap.train.rows_of_slide", None)
    again = torch.load(train(tmp_path, epochs=2), weights_only=True)
    assert all(torch.equal(tensor, again[name]) for name, tensor in weights.items())
    # Another extractor makes other rows: those of this one do not pass for them.
    monkeypatch.setattr("histoserve.export.peakmap.train.identity", lambda network: 1)
    with pytest.raises(TypeError, match="NoneType"):
        train(tmp_path, epochs=2)
