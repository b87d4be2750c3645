"""Looks at slides with their own shares, poor and rich ones equally often; a training that can be interrupted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from interrupted import interrupted_once, same
from torch import Tensor, nn

from histoserve.export.known_slide import KnownSlide, read_slide
from histoserve.export.spread import train as module
from histoserve.export.spread.augment import PATCH, cover_patch
from histoserve.export.spread.batches import BATCH, Batches
from histoserve.export.spread.network import SpreadNetwork, network_from_weights
from histoserve.export.spread.slides import REGIONS, SIDE, TRAINING_SEED, shares_of, write_slide
from histoserve.export.spread.train import network_to_train, train
from histoserve.export.spread.validation import figures, held_of, r2, spearman
from histoserve.export.weight_file import weights_from_file

FOUR = 4 * SIDE


def known(lesion_columns: int = 1) -> KnownSlide:
    """Four by four regions with a cell every 16 px; the first columns are lesion alone, and dark."""
    y, x = np.mgrid[8:FOUR:16, 8:FOUR:16]
    cells = np.column_stack((x.ravel(), y.ravel())).astype(np.float32)
    border = lesion_columns * SIDE
    image = np.full((FOUR, FOUR, 3), 200, np.uint8)
    image[:, :border] = 50
    return KnownSlide(image, cells, cells[:, 0] < border, "solid")


class Darkness(nn.Module):
    """Says that a region is lesion as far as it is dark."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        grey = x.mean((1, 2, 3))
        value = torch.stack((grey, -grey), 1) * 5
        return value[:, None].expand(-1, 13, 2), value


def test_a_drawn_slide_is_kept_with_the_share_of_each_region(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("histoserve.export.spread.slides.REGIONS", 4)

    slide = read_slide(write_slide(tmp_path, TRAINING_SEED))

    assert slide.image.shape == (FOUR, FOUR, 3)
    shares = shares_of(slide)
    assert shares.shape == (4, 4)
    # As small a slide has a small primary.
    assert 0.1 < np.nanmax(shares) <= 1


def test_a_slide_of_the_training_has_room_for_a_spread() -> None:
    assert REGIONS * SIDE >= 2500


@pytest.mark.parametrize(("epoch", "side"), [(0, SIDE // 2), (1, SIDE)])
def test_regions_of_all_kinds_and_their_quarters_come_with_their_own_share(epoch: int, side: int) -> None:
    batches = Batches([known(), known(0)], BATCH, 0.0, seed=0, quarters=1)

    ((images, shares),) = batches.epoch(epoch)

    assert images.shape == (BATCH, side, side, 3)
    assert images.dtype == torch.uint8
    # Half of the looks are near the column that is a fourth of one of two slides.
    assert shares.mean() == pytest.approx(0.3, abs=0.15)
    assert (shares == 0).any()
    assert (shares > 0.8).any()
    darkness = (200 - images.float().mean((1, 2, 3))) / 150
    inside = images.amax((1, 2, 3)) <= 200
    torch.testing.assert_close(darkness[inside], shares[inside], atol=0.15, rtol=0)


def test_a_batch_is_the_same_again_and_epochs_differ() -> None:
    batches = Batches([known()], BATCH, 0.2, seed=3)

    first, again, other = (next(iter(batches.epoch(number)))[0] for number in (0, 0, 1))

    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_glass_has_the_share_0() -> None:
    slide = known()
    bare = KnownSlide(slide.image, slide.cells[slide.is_lesion], slide.is_lesion[slide.is_lesion], "solid")

    (_, shares), *_ = Batches([bare], BATCH, 0.0, seed=0).epoch(0)

    assert shares.isfinite().all()
    assert set(shares.tolist()) == {0.0, 1.0}


def test_a_training_without_a_lesion_is_refused() -> None:
    with pytest.raises(ValueError, match="lesion by 50% or more"):
        Batches([known(0)], BATCH, 0.0, seed=0)
    with pytest.raises(ValueError, match="one share only"):
        held_of([known(0)])


def test_a_covered_patch_is_a_rectangle_of_the_mean_colour() -> None:
    noise = np.random.default_rng(0).integers(0, 100, (SIDE, SIDE, 3), dtype=np.uint8)
    noise[::2] += 100

    covered = cover_patch(noise, np.random.default_rng(1))

    rows, columns = np.nonzero((covered != noise).any(2))
    height, width = (int(each.max() - each.min() + 1) for each in (rows, columns))
    patch = covered[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert min(PATCH) * SIDE - 1 <= min(height, width) <= max(height, width) <= max(PATCH) * SIDE + 1
    assert (patch == noise.mean((0, 1)).round()).all()


def test_figures_tell_a_good_network_from_a_bad_one() -> None:
    held = held_of([known(2)])
    assert len(held.share) == 16

    found = figures(Darkness(), held)

    assert min(found.values()) > 0.95
    assert figures(Darkness(), type(held)(255 - held.images, held.share))["R2"] < 0


def test_r2_and_rank_correlation_by_hand() -> None:
    true = np.array([0.0, 0.5, 1.0])

    assert r2(true, true) == 1
    assert r2(np.full(3, 0.5), true) == 0
    assert spearman(np.array([0.1, 0.2, 0.9]), true) == pytest.approx(1)
    assert spearman(np.array([0.9, 0.2, 0.1]), true) == pytest.approx(-1)
    assert spearman(np.full(3, 0.5), true) == 0


def test_given_weights_are_started_from_and_left_alone_if_told(tmp_path: Path) -> None:
    given = SpreadNetwork([4] * 13)
    torch.save(given.features.state_dict(prefix="features."), tmp_path / "vgg.pth")

    network = network_to_train(None, tmp_path / "vgg.pth", fixed=True)

    assert all(
        torch.equal(*both) for both in zip(network.features.parameters(), given.features.parameters(), strict=True)
    )
    assert not any(each.requires_grad for each in network.features.parameters())
    assert all(each.requires_grad for each in network.classifiers.parameters())
    with pytest.raises(ValueError, match=r"has width 0.0625, not 0.5: leave --width out"):
        network_to_train(0.5, tmp_path / "vgg.pth", fixed=False)
    with pytest.raises(ValueError, match="no --weights came"):
        network_to_train(None, None, fixed=True)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr(module, "draw_slides", lambda folder, seeds: list(seeds))
    monkeypatch.setattr(module, "read_slide", lambda file: known())
    yield lambda out, **options: train(out, width=1 / 64, slides=5, regions=BATCH, **options)
    torch.set_num_threads(before)


def test_a_training_leaves_weights_of_a_network(quick: Callable[..., Path], tmp_path: Path) -> None:
    best = quick(tmp_path, epochs=1)

    assert network_from_weights(weights_from_file(best)).channels[0] == 1


def test_an_interrupted_training_goes_on_to_the_bit(
    quick: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    score: Callable[..., Any] = lambda network, held: {"R2": float(next(network.parameters()).detach().sum())}  # noqa: E731

    def run(out: Path, score: Callable[..., Any]) -> dict[str, Tensor]:
        monkeypatch.setattr(module, "figures", score)
        quick(out, epochs=2)
        return torch.load(out / "last.pt", weights_only=True)["network"]

    whole = run(tmp_path / "whole", score)
    with pytest.raises(KeyboardInterrupt, match="up to epoch 1 of 2"):
        run(tmp_path / "cut", interrupted_once(score, 1))
    assert same(run(tmp_path / "cut", score), whole)


def test_another_start_is_another_training(quick: Callable[..., Path], tmp_path: Path) -> None:
    quick(tmp_path / "out", epochs=1)
    torch.save(SpreadNetwork([1, 1, 2, 2, 4, 4, 4, 8, 8, 8, 8, 8, 8]).state_dict(), tmp_path / "own.pt")

    with pytest.raises(ValueError, match="has weights None, and now it is"):
        quick(tmp_path / "out", epochs=1, weights=tmp_path / "own.pt")
