"""Classes come equally often, what is seen of a slide bears the class of what is seen, by the recipe asked for."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from histoserve.export.tissue import train as module
from histoserve.export.tissue.augment import AREA, Look, look_near, vary_dyes
from histoserve.export.tissue.batches import Batches, class_of
from histoserve.export.tissue.classes import CLASSES, MPP, TILE_PX
from histoserve.export.tissue.network import network_from_weights
from histoserve.export.tissue.slides import SIDE, TILES, TRAINING_SEED, KnownSlide, read_slide, write_slide
from histoserve.export.tissue.train import step_decay, train
from histoserve.export.tissue.validation import figures, held_of
from histoserve.export.weight_file import weights_from_file

LONG = TILES * SIDE


def known(slide_class: str = "solid") -> KnownSlide:
    """A slide with a cell every 32 px; all in its right half are lesion cells, and it is dark there."""
    y, x = np.mgrid[16:LONG:32, 16:LONG:32]
    cells = np.column_stack((x.ravel(), y.ravel())).astype(np.float32)
    image = np.full((LONG, LONG, 3), 200, np.uint8)
    image[:, LONG // 2 :] = 50
    is_lesion = cells[:, 0] > LONG / 2 if slide_class != "normal" else np.zeros(len(cells), bool)
    return KnownSlide(image, cells, is_lesion, slide_class)


def share(look: Look, slide: KnownSlide) -> float:
    cells, lesion = look.cells(slide)
    return lesion / cells


def test_a_tile_is_of_the_documents_size() -> None:
    assert TILE_PX == 224
    assert pytest.approx(1024 * 0.5) == MPP * TILE_PX


def test_a_drawn_slide_is_kept_with_its_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("histoserve.export.tissue.slides.TILES", 2)

    slide = read_slide(write_slide(tmp_path, TRAINING_SEED + 1))

    assert slide.image.shape == (2 * SIDE, 2 * SIDE, 3)
    assert slide.slide_class == "cribriform"
    assert slide.is_lesion.any()
    # Nuclei are dark where the truth has their centroids.
    x, y = slide.cells.astype(int).T
    assert slide.image[y, x].mean() < slide.image.mean() - 20


def test_a_look_is_turned_about_its_own_middle() -> None:
    slide = known()
    for angle in (0.0, 1.0, np.pi):
        look = Look(np.array([LONG / 2, 900.0]), np.array([SIDE, SIDE]), angle, 1.0)
        assert share(look, slide) == pytest.approx(0.5, abs=0.03)
        assert look.picture(slide).mean() == pytest.approx(125, abs=1)


def test_a_look_shows_what_its_share_counts() -> None:
    slide, random = known(), np.random.default_rng(0)
    for _ in range(60):
        look = look_near(np.array([LONG / 2, LONG / 2]), AREA, random)
        dark = (look.picture(slide) < 125).mean()
        assert share(look, slide) == pytest.approx(dark, abs=0.05)


def test_a_straight_look_at_a_tile_is_the_tile_as_served() -> None:
    noise = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (LONG, LONG, 3), np.uint8), (0, 0), 4)
    slide = KnownSlide(noise, np.array([[SIDE / 2, SIDE / 2]], np.float32), np.array([False]), "normal")

    seen = Look(np.array([SIDE / 2, SIDE / 2]), np.array([SIDE, SIDE]), 0.0, 1.0).picture(slide)

    assert np.abs(seen.astype(int) - held_of(slide).images[0]).max() <= 1


def test_beyond_the_slide_it_is_white() -> None:
    look = Look(np.array([0.0, 0.0]), np.array([SIDE, SIDE]), 0.0, 1.0)

    picture = look.picture(known())

    assert picture[: TILE_PX // 2 - 1].min() == 255
    assert (picture[TILE_PX // 2 + 1 :, TILE_PX // 2 + 1 :] == 200).all()


def test_all_classes_come_equally_often() -> None:
    batches = Batches([known("normal"), known("solid"), known("cribriform")], 64, 1.0, 0.0, seed=0)

    seen = Counter(torch.cat([label for _, label in batches.epoch(0)]).tolist())

    assert set(seen) == {0, 1, 2}
    assert max(seen.values()) - min(seen.values()) <= batches.steps


def test_epochs_differ_and_come_again() -> None:
    slides = [known("normal"), known("solid"), known("cribriform")]
    one, again, other = (next(iter(Batches(slides, 32, 0.3, 0.2, seed=0).epoch(n))) for n in (0, 0, 1))

    assert torch.equal(one[0], again[0])
    assert not torch.equal(one[0], other[0])


def test_a_corner_of_a_lesion_is_not_taught_as_one_and_bare_glass_is_normal() -> None:
    slide = known("solid")
    few = replace(slide, cells=slide.cells[::40], is_lesion=slide.is_lesion[::40])
    shown = Look(np.array([0.75 * LONG, 0.5 * LONG]), np.array([SIDE, SIDE]), 0.0, 1.0)

    assert (class_of(shown, slide), class_of(shown, few)) == ("solid", None)
    assert class_of(shown, replace(slide, cells=slide.cells[:0], is_lesion=slide.is_lesion[:0])) == "normal"


def test_a_class_without_a_slide_is_named() -> None:
    with pytest.raises(ValueError, match="no slide with the class cribriform"):
        Batches([known("normal"), known("solid")], 3, 1.0, 0.0, seed=0)


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


class Dark(nn.Module):
    """Calls dark tiles of the last class."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        dark = x.mean((1, 2, 3)) < 0
        return 20 * torch.stack([~dark, torch.zeros_like(dark), dark], 1).float()


def test_tiles_that_count_for_none_are_not_scored() -> None:
    slide = held_of(known("cribriform"))
    assert Counter(slide.label.tolist()) == {0: TILES * TILES // 2, 2: TILES * TILES // 2}
    uncounted = replace(slide, label=np.where(slide.label == 2, -1, 0))
    mistaken = replace(slide, label=np.full(TILES * TILES, 2))

    assert figures(Dark(), [slide]) == {"balanced accuracy": 1.0, "slides": 1.0}
    assert figures(Dark(), [uncounted])["balanced accuracy"] == 1.0
    assert figures(Dark(), [mistaken])["balanced accuracy"] == 0.5
    assert figures(Dark(), [replace(slide, slide_class="solid")])["slides"] == 0.0


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
    slides = [known("normal"), known("solid"), known("cribriform"), known("solid"), known("normal")]
    monkeypatch.setattr(module, "draw_slides", lambda folder, seeds: range(5))
    monkeypatch.setattr(module, "read_slide", slides.__getitem__)

    best = train(tmp_path, width=0.0625, slides=5, tiles=4, epochs=1, optimiser=optimiser)

    network = network_from_weights(weights_from_file(best))
    assert network.classify.out_features == len(CLASSES)
