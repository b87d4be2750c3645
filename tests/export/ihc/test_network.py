"""The network for stained cells: sees density, learns three things of a pixel, is scored by the cells it leads to."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from histoserve.export.ihc.crops import StainedTile
from histoserve.export.ihc.network import TYPES, Density, StainedMaps, StainedNetwork, network_from_weights, served
from histoserve.export.ihc.train import BATCH, CROP_PX, FRAME_PX, Batches, loss, targets, train
from histoserve.export.ihc.validation import paired, ratio, score_network
from histoserve.export.weight_file import score_of, weights_from_file

BROWN, BLUE, GLASS = (110, 65, 40), (110, 140, 200), (240, 240, 240)
TYPE_OF = np.array([0, 1, 2, 4, 3], np.uint8)


def discs(side: int = CROP_PX + 2 * FRAME_PX) -> StainedTile:
    """Nuclei 24 px wide, 48 apart: negative and positive of the tumour, positive and negative others, by turns."""
    y, x = np.indices((side, side))
    image, labels, types = np.full((side, side, 3), GLASS, np.uint8), np.zeros((side, side), np.int32), [0]
    for row in range(side // 48):
        for column in range(side // 48):
            number = (row % 2) * 2 + column % 2
            disc = (x - 24 - 48 * column) ** 2 + (y - 24 - 48 * row) ** 2 < 144
            types.append(int(TYPE_OF[1 + number]))
            image[disc], labels[disc] = BROWN if types[-1] % 2 == 0 else BLUE, len(types) - 1
    return StainedTile(image, labels, np.array(types, np.uint8))


def perfect(tile: StainedTile) -> np.ndarray:
    """The maps of a network that makes no mistake about nuclei that do not touch."""
    types = tile.type_of[tile.instances]
    return np.stack([np.where(types > 0, 255, 0), np.zeros_like(types), np.maximum(types, 1)], 2).astype(np.uint8)


def test_density_is_finite_and_adds_up() -> None:
    image = torch.tensor([[[[0, 127, 255]]]], dtype=torch.uint8)
    assert Density()(image).flatten().tolist() == pytest.approx([4, np.log(2), 0])


def test_the_answers_to_both_questions_make_the_type() -> None:
    network = StainedNetwork().eval()
    torch.nn.init.zeros_(network.head.weight)
    for number, (positive, tumour) in enumerate([(-1, 1), (1, 1), (-1, -1), (1, -1)], 1):
        network.head.bias.data = torch.tensor([0.0, 0, 0, 0, positive, tumour])
        maps = StainedMaps(network)(torch.zeros(1, 32, 64, 3, dtype=torch.uint8))
        assert maps.shape == (1, 32, 64, 3)
        assert maps[..., 2].unique().tolist() == [number]


def test_targets_are_those_of_the_crop_without_its_frame() -> None:
    tile = discs()
    image, inside, distance, asked, weight = targets(tile)
    half = CROP_PX // 2
    types = tile.type_of[tile.instances[FRAME_PX:-FRAME_PX:2, FRAME_PX:-FRAME_PX:2]]

    assert image.shape == (CROP_PX, CROP_PX, 3)
    assert distance.shape == asked.shape == weight.shape == (2, half, half)
    np.testing.assert_array_equal(inside, types > 0)
    np.testing.assert_array_equal(asked, np.stack([(types == 2) | (types == 4), (types == 1) | (types == 2)]))
    np.testing.assert_array_equal(weight[0], weight[1])
    untold = targets(StainedTile(tile.image, tile.instances, tile.type_of, tells_tumour=False))
    np.testing.assert_array_equal(untold[3][0], asked[0])
    assert not untold[4][1].any()


def test_a_batch_is_the_same_for_the_same_seed_and_number() -> None:
    one, same, other, again = (
        Batches([], [discs()], seed)[number] for seed, number in ((3, 5), (3, 5), (3, 6), (4, 5))
    )
    assert one.image.shape == (BATCH, CROP_PX, CROP_PX, 3)
    assert all(torch.equal(*pair) for pair in zip(one, same, strict=True))
    assert not torch.equal(one.image, other.image)
    assert not torch.equal(one.image, again.image)


def test_the_loss_falls_on_what_is_seen_and_an_empty_batch_is_none_to_fear() -> None:
    torch.manual_seed(0)
    network, batch = StainedNetwork(), Batches([], [discs()], 0)[0]
    optimizer, losses = torch.optim.Adam(network.parameters(), 1e-2), []
    for _ in range(6):
        optimizer.zero_grad()
        losses.append(loss(network, batch))
        losses[-1].backward()
        optimizer.step()
    bare = batch._replace(nucleus=batch.nucleus & False, weight=batch.weight * 0)

    assert losses[-1] < 0.7 * losses[0]
    assert loss(network, bare).isfinite()


def test_the_score_is_1_for_maps_without_a_mistake_and_falls_with_each(monkeypatch: pytest.MonkeyPatch) -> None:
    tile = discs()
    maps = {"told": perfect(tile)}
    monkeypatch.setattr(
        "histoserve.export.ihc.validation.StainedMaps.forward",
        lambda self, image: torch.from_numpy(maps["told"][None]),
    )
    right = score_network(StainedNetwork(), [tile])
    assert right == {"cells": 1, "found": 1, "positive": 1, "tumour": 1, "away": 0}

    turned = maps["told"].copy()
    turned[..., 2][turned[..., 2] == 1] = 2
    maps["told"] = turned
    wrong = score_network(StainedNetwork(), [tile])
    assert wrong["found"] == wrong["tumour"] == 1
    assert wrong["positive"] == wrong["cells"] == 1 - (tile.type_of == 1).sum() / (len(tile.type_of) - 1)
    assert wrong["away"] == pytest.approx((tile.type_of == 1).sum() / (tile.type_of[1:] <= 2).sum())


def test_pairs_and_ratios_by_hand() -> None:
    truth = np.array([[1, 1, 1, 1, 0, 2, 2, 2]])
    found = np.array([[3, 3, 3, 0, 1, 1, 1, 2]])
    one, other = paired(found, truth)
    assert (one.tolist(), other.tolist()) == ([3], [1])
    assert ratio(np.array([1, 1, 1, 2, 4], np.uint8), 0.5) == 0.25
    assert ratio(np.array([3, 4], np.uint8), 0.5) == 0.5


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises((RuntimeError, LookupError)):
        served({"other": torch.zeros(3)})
    assert served(StainedNetwork(8).state_dict())[0].parameters["types"] == ",".join(TYPES)


def test_a_training_from_weights_of_another_network_is_refused(tmp_path: Path) -> None:
    torch.save({"other": torch.zeros(3)}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=r"other\.pt holds no weights of this network"):
        train(tmp_path, tmp_path / "out", weights=tmp_path / "other.pt")


def test_a_training_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing chooses the epoch"):
        train(tmp_path, tmp_path / "out", phantoms=0)


@pytest.mark.slow
def test_a_training_ends_with_weights_that_are_whole_and_another_starts_from_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("histoserve.export.ihc.drawn.of_phantom", lambda seed: [discs()])
    path = train(tmp_path, tmp_path / "out", phantoms=1, epochs=1, steps=1)

    network_from_weights(weights_from_file(path))
    assert set(score_of(path) or {}) == {"cells", "found", "positive", "tumour", "away"}
    assert json.loads(path.with_suffix(".json").read_text())["score"]
    start = weights_from_file(path)
    again = weights_from_file(train(tmp_path, tmp_path / "on", phantoms=1, weights=path, rate=0, epochs=1, steps=1))
    assert torch.equal(again["head.weight"], start["head.weight"])
