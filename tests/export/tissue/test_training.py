"""Tiles of all classes come equally often, turned when they come again, by the document's recipe unless told."""

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from histoserve.export.tissue import train as module
from histoserve.export.tissue.augment import crop, vary_dyes, whole
from histoserve.export.tissue.classes import CLASSES, MPP, TILE_PX
from histoserve.export.tissue.network import network_from_weights
from histoserve.export.tissue.tiles import SIDE, TRAINING_SEED, LabelledTiles, read_tiles, write_tiles
from histoserve.export.tissue.train import Batches, accuracy, step_decay, train
from histoserve.export.weight_file import weights_from_file


def tiles(*of_class: int) -> LabelledTiles:
    """So many tiles of each class, each of one grey of its own."""
    label = np.repeat(np.arange(len(of_class)), of_class)
    greys = (np.full((SIDE, SIDE, 3), 10 + 10 * i, np.uint8) for i in range(len(label)))
    return LabelledTiles([cv2.imencode(".png", grey)[1].tobytes() for grey in greys], label)


def test_a_tile_is_of_the_documents_size() -> None:
    assert TILE_PX == 224
    assert pytest.approx(1024 * 0.5) == MPP * TILE_PX


def test_tiles_of_a_slide_are_of_its_class_or_normal(tmp_path: Path) -> None:
    drawn = read_tiles([write_tiles(tmp_path, TRAINING_SEED + 1)])

    assert drawn.label.tolist() == [0, 0, 0, 2, 2, 2]
    assert drawn.image(3).shape == (SIDE, SIDE, 3)
    assert drawn.image(3).std() > 5


def test_all_classes_come_equally_often() -> None:
    batches = Batches(tiles(7, 2, 3), 1.0, 0.0, seed=0)

    seen = Counter(torch.cat([label for _, label in batches.epoch(0)]).tolist())

    assert seen == {0: 7, 1: 7, 2: 7}


def test_every_tile_comes_and_epochs_differ() -> None:
    batches = Batches(tiles(5, 5, 5), 1.0, 0.0, seed=0)
    one, other = (torch.cat([image.float().mean((1, 2, 3)) for image, _ in batches.epoch(n)]) for n in (0, 1))

    assert len(set(one.round().tolist())) == 15
    assert one.tolist() != other.tolist()


def test_a_class_without_tiles_is_named() -> None:
    with pytest.raises(ValueError, match="no tile of the class cribriform"):
        Batches(tiles(3, 3), 1.0, 0.0, seed=0)


def test_the_whole_crop_is_the_tile_as_served() -> None:
    noise = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8), (0, 0), 4)
    random = np.random.default_rng(1)
    seen = [crop(noise, False, (1.0, 1.0), random) for _ in range(20)]

    # Its aspect varies, so one side may be cut; the nearest to a square shows what is served.
    assert min(np.abs(each.astype(int) - whole(noise)).mean() for each in seen) < 3


def test_a_turned_crop_shows_the_tiles_own_pixels() -> None:
    left = np.zeros((SIDE, SIDE, 3), np.uint8)
    left[:, : SIDE // 2] = 200
    shares = [crop(left, True, (0.3, 1.0), np.random.default_rng(n)).mean() / 200 for n in range(60)]

    assert set(np.unique(crop(left, True, (0.5, 0.5), np.random.default_rng(3)))) >= {0, 200}
    assert np.mean(shares) == pytest.approx(0.5, abs=0.1)


def test_varied_dyes_keep_white_and_dark_apart() -> None:
    ramp = np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, 2)

    seen = vary_dyes(ramp, 0.2, np.random.default_rng(0))[0].astype(int)

    assert (np.diff(seen, axis=0) >= 0).all()
    assert not np.array_equal(seen, ramp[0])


def test_the_rate_falls_to_a_tenth_every_so_many_steps() -> None:
    optimizer, schedule = step_decay(nn.Linear(1, 1), 1e-4, 100, every=10)
    rates = []
    for _ in range(25):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()

    assert (rates[0], rates[9]) == (1e-4, 1e-4)
    assert (rates[10], rates[20]) == pytest.approx((1e-5, 1e-6))


class Bright(nn.Module):
    """Calls bright tiles of the last class."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        bright = x.mean((1, 2, 3)) > 0
        return torch.stack([~bright, torch.zeros_like(bright), bright], 1).float()


def test_accuracy_counts_each_class_alike() -> None:
    dark, bright = np.zeros((SIDE, SIDE, 3), np.uint8), np.full((SIDE, SIDE, 3), 255, np.uint8)
    coded = [cv2.imencode(".png", each)[1].tobytes() for each in (dark, dark, dark, bright, dark)]

    assert accuracy(Bright(), LabelledTiles(coded, np.array([0, 0, 0, 2, 2]))) == {"balanced accuracy": 0.75}


@pytest.mark.parametrize(
    ("options", "words"),
    [({"optimiser": "adam"}, "there are: sgd, adamw"), ({"taps": "1,x"}, "--taps"), ({"taps": "34"}, "1 to 33")],
)
def test_what_cannot_be_trained_is_said_before_anything_is_drawn(tmp_path: Path, options: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        train(tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_a_training_leaves_weights_of_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, optimiser: str
) -> None:
    monkeypatch.setattr(module, "draw_tiles", lambda folder, seeds: [folder] * len(seeds))
    monkeypatch.setattr(module, "read_tiles", lambda files: tiles(2, 2, 2))

    best = train(tmp_path, width=0.0625, slides=5, epochs=1, optimiser=optimiser)

    network = network_from_weights(weights_from_file(best))
    assert network.classify.out_features == len(CLASSES)
