"""Patches of real tissue, folds by tile, and the plain ways that a network is measured against."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from histoserve.export.spread import real as module
from histoserve.export.spread.consep import Patches, read_patches
from histoserve.export.spread.network import SpreadNetwork
from histoserve.export.spread.real import FOLDS, Trial, by_ridge, from_nothing, real, trial_of
from histoserve.export.spread.ridge import histogram, ridge
from histoserve.export.spread.stains import rescaled
from histoserve.export.spread.transfer import taps_of, train_classifiers, values_by_taps

CHANNELS = [2] * 13


def write_tile(folder: Path, name: str, epithelial: int) -> list[str]:
    """Two by two patches, of which the last has no nucleus; the first has `epithelial` of ten rows of a nucleus."""
    image = np.random.default_rng(epithelial).integers(0, 256, (500, 500, 3), dtype=np.uint8)
    instances = np.zeros((500, 500), np.uint16)
    instances[:epithelial, :250], instances[epithelial:10, :250] = 1, 2
    instances[:10, 250:], instances[260:270, :250] = 1, 2
    cv2.imwrite(str(folder / f"{name}.png"), image)
    cv2.imwrite(str(folder / f"{name}_instances.png"), instances)
    return [f"{name},1,3,0,0,0", f"{name},2,2,0,0,0"]


def write_consep(folder: Path, tiles: int) -> None:
    folder.mkdir()
    rows = [row for n in range(tiles) for row in write_tile(folder, f"train_{n + 1:02}", 1 + n % 9)]
    (folder / "nuclei.csv").write_text("\n".join(["tile,instance,type,x,y,area_px", *rows]))


def test_a_patch_has_the_epithelial_part_of_its_nuclear_area(tmp_path: Path) -> None:
    write_consep(tmp_path / "consep", 2)

    patches = read_patches(tmp_path / "consep")

    assert patches.share.tolist() == [0.1, 1, 0, 0.2, 1, 0]
    assert patches.tile.tolist() == [0, 0, 0, 1, 1, 1]
    assert patches.images.shape == (6, 224, 224, 3)


def test_real_patches_are_of_all_tiles(shared: Path) -> None:
    patches = read_patches(shared / "consep")

    assert len(np.unique(patches.tile)) == 27
    assert 400 < len(patches.share) <= 27 * 16
    assert 0.3 < patches.share.mean() < 0.4


def test_no_tiles_are_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no train_NN"):
        read_patches(tmp_path)


def test_rescaled_stains_keep_white_and_halve_or_double_a_dye() -> None:
    white, blue = np.full((1, 1, 3), 255, np.uint8), np.array([[[131, 121, 189]]], np.uint8)

    assert (rescaled(white, (0.7, 1.35)) == white).all()
    np.testing.assert_allclose(rescaled(blue, (1.0, 1.0)), blue, atol=1)
    before, after = (np.log((each.astype(float) + 1) / 256) for each in (blue, rescaled(blue, (1.35, 1.0))))
    np.testing.assert_allclose(after / before, 1.35, atol=0.08)


def test_a_histogram_counts_each_channel() -> None:
    found = histogram(np.array([[[[0, 16, 255]], [[0, 17, 15]]]], np.uint8))

    assert found.shape == (1, 48)
    assert dict(zip(np.flatnonzero(found[0]).tolist(), found[0][found[0] > 0].tolist(), strict=True)) == {
        0: 1.0,
        17: 1.0,
        32: 0.5,
        47: 0.5,
    }


@pytest.mark.parametrize("features", [3, 60])
def test_ridge_finds_a_line_with_few_and_with_many_features(features: int) -> None:
    random = np.random.default_rng(0)
    x = random.normal(0, 1, (40, features))
    share = 0.5 + 0.1 * x[:, 0] / np.abs(x[:, 0]).max()

    np.testing.assert_allclose(ridge(x, share, x, 1e-6), share, atol=1e-3)
    np.testing.assert_allclose(ridge(x, share, x, 1e9), share.mean(), atol=1e-3)


def test_what_is_asked_is_never_learned() -> None:
    tile = np.arange(18)
    images = np.zeros((18, 2, 2, 3), np.uint8)
    trial = Trial(Patches(images, (tile % FOLDS == 0).astype(float), tile), images, FOLDS)

    # One feature a fold: only a fold's own patches could tell its share.
    error, *_ = by_ridge(trial, np.eye(FOLDS)[tile % FOLDS], np.eye(FOLDS)[tile % FOLDS])

    assert error == pytest.approx((1 + 8 / 8) / 9, abs=0.02)


def test_classifiers_learn_from_activations_and_leave_the_network() -> None:
    torch.manual_seed(0)
    network = SpreadNetwork(CHANNELS).eval()
    before = network.state_dict()["classifiers.0.1.weight"].clone()
    images = np.repeat(np.arange(0, 240, 10, dtype=np.uint8), 224 * 224 * 3).reshape(-1, 224, 224, 3)
    share = np.linspace(0, 1, len(images))
    taps = taps_of(network, images)

    found = values_by_taps(train_classifiers(network, taps, share), taps)

    assert np.abs(found - share).mean() < 0.15
    assert torch.equal(network.state_dict()["classifiers.0.1.weight"], before)


def test_all_rows_come_of_one_command(tmp_path: Path) -> None:
    write_consep(tmp_path / "consep", 9)
    torch.save(SpreadNetwork(CHANNELS).state_dict(), tmp_path / "own.pt")

    rows = real(tmp_path, tmp_path / "out", [f"own={tmp_path}/own.pt"], folds=1, epochs=1, copies=1, width=1 / 64)

    assert len(rows) == 4
    assert np.isfinite(list(rows.values())).all()


def test_tiles_that_are_all_alike_choose_no_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tile = np.arange(18)
    share = np.where(np.isin(tile % FOLDS, (1, 2)), 0.5, tile / 18)
    images = np.zeros((18, 2, 2, 3), np.uint8)
    chosen: list[set[int]] = []

    def trained(_: object, seen: Patches, held: Patches, *__: object) -> None:
        chosen.append(set((held.tile % FOLDS).tolist()))
        assert not set(held.tile) & set(seen.tile)

    monkeypatch.setattr(module, "train_from_nothing", trained)
    monkeypatch.setattr(module, "values_of", lambda _, images: (np.zeros(len(images)), None))

    from_nothing(Trial(Patches(images, share, tile), images, FOLDS), 1.0, 1, tmp_path)

    assert chosen == [{3}, {3}, {3}, {4}, {5}, {6}, {7}, {8}, {0}]


def test_the_change_of_stain_is_one_of_a_tile() -> None:
    images = np.full((4, 2, 2, 3), (150, 100, 170), np.uint8)
    trial = trial_of(Patches(images, np.zeros(4), np.array([0, 0, 1, 1])), 1)

    assert (trial.changed[0] == trial.changed[1]).all()
    assert (trial.changed[0] != images[0]).any()
