"""Training from a folder of labels: what is shown, what decides, and what is told."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from interrupted import interrupted_once, same
from made_up_labels import add_pair, decide_all
from torch import Tensor

from histoserve.client.labels.label import Decision
from histoserve.export.biomarker import batches as batches_module
from histoserve.export.biomarker import labelled as labelled_module
from histoserve.export.biomarker import train as module
from histoserve.export.biomarker.batches import Batches
from histoserve.export.biomarker.crops import crop
from histoserve.export.biomarker.labelled import LabelledTile, Parts, parts_of
from histoserve.export.biomarker.memory import BATCH, CROP_BYTES, batch_that_fits, free_bytes
from histoserve.export.biomarker.network import BiomarkerNetwork, by_marker, together
from histoserve.export.biomarker.train import RATE, falling, loss, network_to_train, train
from histoserve.export.biomarker.validation import figures, spearman
from histoserve.export.weight_file import score_of, weights_from_file

TILE_PX, CROP_PX = 224, 112
WIDTH = 0.01
READINGS = (0.0, 0.25, 0.5, 0.75, 1.0)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tiles of a size that one core trains on in a second."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr(labelled_module, "TILE_PX", TILE_PX)
    monkeypatch.setattr(batches_module, "TILE_PX", TILE_PX)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Three pairs of slides, each tile as dark as it reads; all accepted."""
    folder = tmp_path / "labels"
    folder.mkdir()
    for number in (1, 2, 3):
        add_pair(folder, number, READINGS, tile_px=TILE_PX)
    for label in decide_all(folder, Decision.ACCEPT):
        darkness = np.full((TILE_PX, TILE_PX, 3), round(230 - 180 * (label.tile.reading or 0)), np.uint8)
        cv2.imwrite(str(label.he_picture), darkness)
    return folder


def tile(path: Path, colour: tuple[int, int, int], reading: float) -> LabelledTile:
    cv2.imwrite(str(path), np.full((TILE_PX, TILE_PX, 3), colour[::-1], np.uint8))
    return LabelledTile(path, reading)


def test_only_accepted_tiles_train_and_no_slide_is_on_both_sides(labels: Path) -> None:
    decide_all(labels, {(1, 1): Decision.DROP, (2, 2): Decision.UNDECIDED})

    parts = parts_of(labels, "ki67", 0.3, seed=0)

    names = [{f"{each.path.parent.name}/{each.path.name}" for each in part} for part in (parts.seen, parts.held)]
    assert len(names[0] | names[1]) == 13
    assert not names[0] & names[1]
    assert not (names[0] | names[1]) & {"0001/0001_he.png", "0002/0002_he.png"}
    assert not {name[:4] for name in names[0]} & {name[:4] for name in names[1]}
    assert {each.reading for each in (*parts.seen, *parts.held)} == set(READINGS)


def test_tiles_without_tumour_teach_that_there_is_none_and_no_reading(labels: Path) -> None:
    add_pair(labels, 4, (None, 0.5, None, 0.5), tile_px=TILE_PX, off=(3,), without_tumour=(1,))
    decide_all(labels, Decision.ACCEPT)

    parts = parts_of(labels, "ki67", 0.3, seed=0)

    tiles = [*parts.seen, *parts.held]
    # What was dropped for another reason teaches nothing.
    assert [each.path.parent.name + each.path.name[:4] for each in tiles if np.isnan(each.reading)] == ["00040001"]
    assert len(tiles) == 15 + 3
    in_held = {each.path.parent.name for each in parts.held}
    assert not in_held & {each.path.parent.name for each in parts.seen}


class Says(BiomarkerNetwork):
    """The same of every crop."""

    def __init__(self, reading: float, tumour: float) -> None:
        super().__init__(WIDTH)
        self.says = torch.logit(torch.tensor([[reading, tumour]]))

    def forward(self, x: Tensor) -> Tensor:
        return self.says.expand(len(x), 2)


def test_the_loss_of_a_crop_without_tumour_is_that_of_tumour_alone() -> None:
    nothing = torch.zeros((2, 8, 8, 3), dtype=torch.uint8)
    with_tumour, without = torch.tensor([0.25, 0.25]), torch.tensor([torch.nan, torch.nan])
    entropy = -(0.25 * np.log(0.5) + 0.75 * np.log(0.5))

    assert float(loss(Says(0.5, 0.9), (nothing, with_tumour))) == pytest.approx(entropy - np.log(0.9), abs=1e-5)
    assert float(loss(Says(0.5, 0.9), (nothing, without))) == pytest.approx(-np.log(0.1), abs=1e-5)
    assert float(loss(Says(0.1, 0.9), (nothing, without))) == pytest.approx(-np.log(0.1), abs=1e-5)


def test_figures_of_tiles_without_tumour_are_those_of_tumour_alone(tmp_path: Path) -> None:
    tiles = [tile(tmp_path / f"{n}.png", (90, 80, 70), reading) for n, reading in enumerate((0.4, float("nan")))]

    found = figures(Says(0.5, 0.75), tiles)

    entropy = -np.log(0.5) - np.log(0.75) - np.log(0.25)
    assert found["minus loss"] == pytest.approx(-entropy / 2, abs=1e-5)
    assert (found["mean absolute error"], found["tumour"]) == (pytest.approx(0.1, abs=1e-6), 0.5)
    assert figures(Says(0.5, 0.75), tiles[1:])["mean absolute error"] == 0


@pytest.mark.parametrize(
    ("marker", "decision", "words"),
    [
        ("er", Decision.ACCEPT, "holds no tile of 'er'; it holds ki67"),
        ("ki67", Decision.UNDECIDED, "None of the 15 tiles of ki67 is accepted"),
    ],
)
def test_labels_that_can_teach_nothing_are_told(labels: Path, marker: str, decision: Decision, words: str) -> None:
    decide_all(labels, decision)
    with pytest.raises(ValueError, match=words):
        parts_of(labels, marker, 0.3, seed=0)


def test_tiles_of_another_size_are_told_not_resized(labels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labelled_module, "TILE_PX", 1024)
    with pytest.raises(
        ValueError, match=r"pair \d has tiles of 224 px|tiles of 224 px at 0.3 µm/px, the network reads 1"
    ):
        parts_of(labels, "ki67", 0.3, seed=0)


@pytest.mark.parametrize("damage", ["gone", "words", "smaller"])
def test_a_picture_that_is_damaged_is_named(labels: Path, damage: str) -> None:
    first = parts_of(labels, "ki67", 0.3, seed=0).seen[0]
    first.path.unlink()
    if damage == "words":
        first.path.write_text("words")
    if damage == "smaller":
        cv2.imwrite(str(first.path), np.zeros((TILE_PX, 100, 3), np.uint8))
    with pytest.raises(ValueError, match=rf"{first.path.name}: a picture of 224×224 px is wanted"):
        first.image()


def test_a_crop_lies_within_its_tile_and_keeps_its_scale() -> None:
    """A lattice of dots 16 px apart, on a tile that is nowhere black as what lies beyond it would be."""
    image = np.full((TILE_PX, TILE_PX, 3), 200, np.uint8)
    image[::16, ::16] = 90
    random = np.random.default_rng(0)

    crops = [crop(image, CROP_PX, 0.0, random) for _ in range(40)]

    assert min(each.min() for each in crops) >= 90
    dots = [cv2.connectedComponents((each[..., 0] < 190).astype(np.uint8))[0] - 1 for each in crops]
    # Without rescaling 49; a scale of 0.95 to 1.05 makes of that 44 to 54, and some lie on the border.
    assert 40 <= min(dots) <= max(dots) <= 66
    assert len({each.tobytes() for each in crops}) == 40


def test_crops_are_turned_and_mirrored() -> None:
    """Of a tile whose red rises to the right and whose blue falls: both directions come, turned any way."""
    y, x = np.mgrid[:TILE_PX, :TILE_PX]
    image = np.dstack([x, np.zeros_like(x), y]).astype(np.uint8)
    random = np.random.default_rng(1)
    turns, mirrored = [], 0
    for _ in range(60):
        seen = crop(image, CROP_PX, 0.0, random).astype(float)
        (red_y, red_x), (blue_y, blue_x) = ([each.mean() for each in np.gradient(seen[..., c])] for c in (0, 2))
        turns.append(np.arctan2(red_y, red_x))
        mirrored += red_x * blue_y - red_y * blue_x < 0

    assert np.histogram(turns, 4, (-np.pi, np.pi))[0].min() >= 5
    assert 15 <= mirrored <= 45


def test_a_crop_that_does_not_fit_turned_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit into 120×120 px"):
        [crop(np.zeros((120, 120, 3), np.uint8), CROP_PX, 0.0, np.random.default_rng(n)) for n in range(9)]


def test_each_tile_is_shown_as_often_with_its_own_reading(tmp_path: Path) -> None:
    tiles = [tile(tmp_path / f"{n}.png", (50 * n, 0, 0), n / 4) for n in range(5)]
    batches = Batches(tiles, 4, CROP_PX, 0.0, seed=0)

    shown = [
        (float(image[0, 0, 0]), float(reading))
        for pair in batches.epoch(0)
        for image, reading in zip(*pair, strict=True)
    ]

    assert (batches.steps, len(shown)) == (5, 4 * 5)
    assert sorted(shown) == sorted([(50.0 * n, n / 4) for n in range(5)] * 4)


def test_small_crops_are_as_many_as_cover_a_tile(tmp_path: Path) -> None:
    tiles = [tile(tmp_path / f"{n}.png", (50 * n, 0, 0), n / 4) for n in range(3)]
    batches = Batches(tiles, 2, TILE_PX // 4, 0.0, seed=0)

    pairs = list(batches.epoch(0))

    assert len(pairs) == batches.steps == 16 * 3 / 2
    assert {image.shape for image, _ in pairs} == {(2, TILE_PX // 4, TILE_PX // 4, 3)}


@pytest.mark.parametrize("kept", [0, 1, 9])
def test_tiles_that_stay_decoded_change_nothing_but_how_often_files_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    tiles = [tile(tmp_path / f"{n}.png", (50 * n, 0, 0), n / 4) for n in range(3)]
    monkeypatch.setattr(batches_module, "tiles_that_fit", lambda bytes_each: kept)
    batches = Batches(tiles, 2, CROP_PX, 0.1, seed=0)
    read: list[Path] = []
    whole = LabelledTile.image

    def image(each: LabelledTile) -> np.ndarray:
        read.append(each.path)
        return whole(each)

    monkeypatch.setattr(LabelledTile, "image", image)
    shown = [image for image, _ in batches.epoch(0)]
    assert len(read) == {0: 12, 9: 3}.get(kept, len(read))

    monkeypatch.setattr(batches_module, "tiles_that_fit", lambda bytes_each: 9)
    assert all(map(torch.equal, shown, (image for image, _ in Batches(tiles, 2, CROP_PX, 0.1, seed=0).epoch(0))))


def test_a_batch_is_the_same_again_and_epochs_differ(tmp_path: Path) -> None:
    batches = Batches([tile(tmp_path / f"{n}.png", (90 * n, 80, 70), n) for n in (0, 1)], 3, CROP_PX, 0.1, seed=3)

    first, again, other = ([image for image, _ in batches.epoch(number)] for number in (0, 0, 1))

    assert len(first) == 3
    assert {len(image) for image in first} == {3}
    assert all(torch.equal(*both) for both in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])


class Darkness(BiomarkerNetwork):
    """Reads how dark a crop is."""

    def __init__(self) -> None:
        super().__init__(WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        dark = -x.mean((1, 2, 3)) * 4
        return torch.stack([dark, torch.full_like(dark, 9.0)], 1)


def test_figures_tell_a_good_network_from_a_bad_one(tmp_path: Path) -> None:
    shades = [(5, 0.99), (90, 0.75), (165, 0.25), (250, 0.01)]
    tiles = [tile(tmp_path / f"{n}.png", (shade,) * 3, reading) for n, (shade, reading) in enumerate(shades)]
    upside_down = [LabelledTile(each.path, 1 - each.reading) for each in tiles]

    good, bad = figures(Darkness(), tiles), figures(Darkness(), upside_down)

    assert list(good) == ["minus loss", "mean absolute error", "Spearman", "tumour"]
    assert good["minus loss"] > bad["minus loss"] + 1
    assert (good["mean absolute error"] < 0.1, good["Spearman"], bad["Spearman"]) == (True, 1, -1)
    assert spearman(np.zeros(3), np.arange(3)) == 0


def test_the_rate_begins_at_the_documents_and_falls_every_two_epochs() -> None:
    network = torch.nn.Linear(1, 1)
    optimizer, schedule = falling(network, RATE, 100, every=3)
    rates = []
    for _ in range(7):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()

    assert isinstance(optimizer, torch.optim.RMSprop)
    assert rates == pytest.approx([0.01] * 3 + [0.0094] * 3 + [0.008836])


def run(labels: Path, out: Path, **options: Any) -> Path:
    small = {"width": WIDTH, "batch": 6, "steps": 7, "crop": CROP_PX}
    settings = {**small, "held": 0.3, "dyes": 0.0, "marker": "ki67", **options}
    return train(out, labels=labels, **settings)


def test_markers_trained_in_one_folder_come_out_in_one_file(
    labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (4, 5):
        add_pair(labels, number, READINGS, marker="PR", tile_px=TILE_PX)
    decide_all(labels, Decision.ACCEPT)

    run(labels, tmp_path / "out")
    assert (
        "10 tiles train, 5 of other slides choose the epoch; width 0.00893, starting from nothing"
        in capsys.readouterr().out
    )
    best = run(labels, tmp_path / "out", marker="PR", weights=tmp_path / "out" / "best.pt", width=None)

    assert "starting from best.pt, our own of ki67" in capsys.readouterr().out
    assert sorted(by_marker(weights_from_file(best))) == ["ki67", "pr"]
    assert set(score_of(best) or {}) >= {"ki67 minus loss", "pr minus loss", "pr Spearman"}


def test_an_interrupted_training_goes_on_to_the_bit(
    labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    score: Callable[..., Any] = lambda network, tiles: {"x": float(next(network.parameters()).detach().sum())}  # noqa: E731

    def trained(out: Path, score: Callable[..., Any]) -> dict[str, Tensor]:
        monkeypatch.setattr(module, "figures", score)
        run(labels, out, steps=14)
        return torch.load(out / "ki67" / "last.pt", weights_only=True)["network"]

    whole = trained(tmp_path / "whole", score)
    with pytest.raises(KeyboardInterrupt, match="up to epoch 1 of 2"):
        trained(tmp_path / "cut", interrupted_once(score, 1))
    assert same(trained(tmp_path / "cut", score), whole)


def test_with_other_labels_it_is_another_training(labels: Path, tmp_path: Path) -> None:
    run(labels, tmp_path / "out", steps=1)
    decide_all(labels, {(1, 1): Decision.DROP, (2, 1): Decision.DROP, (3, 1): Decision.DROP})

    with pytest.raises(ValueError, match=r"has tiles [0-9a-f]{12}, and now it is"):
        run(labels, tmp_path / "out", steps=1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"marker": "../ki67"}, "cannot be the name of a model"),
        ({"marker": "er"}, "holds no tile of 'er'"),
        ({"batch": 1}, "two crops or more are wanted"),
        ({"optimiser": "adam"}, "no optimiser is called 'adam'; there are: rmsprop, adamw"),
        ({"weights": Path("none.pth")}, r"no weights at none\.pth"),
        ({"labels": Path("nowhere")}, "nowhere"),
    ],
)
def test_what_cannot_be_trained_is_told_before_anything_is_written(
    labels: Path, tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        run(options.pop("labels", labels), tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_a_width_that_the_weights_have_not_is_told(tmp_path: Path) -> None:
    torch.save(together({"er": BiomarkerNetwork(0.02).state_dict()}), tmp_path / "er.pt")

    with pytest.raises(ValueError, match=r"has width 0.0201, not 0.5: leave --width out"):
        network_to_train(0.5, tmp_path / "er.pt", "er")
    assert network_to_train(0.02, tmp_path / "er.pt", "er")[1] == "er.pt, our own of er"


@pytest.mark.parametrize(("free", "batch"), [(10**12, BATCH), (0.51 * BATCH * CROP_BYTES / 0.7, BATCH // 2), (3e9, 2)])
def test_a_batch_is_as_large_as_memory_allows(free: float, batch: int) -> None:
    assert batch_that_fits(1.0, free=int(free)) == batch
    assert free_bytes() > 0


def test_too_little_memory_for_two_crops_is_told() -> None:
    with pytest.raises(ValueError, match="needs 1100 MiB, of 1000 MiB that are free"):
        batch_that_fits(1.0, free=1000 * 2**20)


def test_the_parts_know_what_they_are_made_of(tmp_path: Path) -> None:
    one, other = (LabelledTile(tmp_path / "0001" / "0001_he.png", reading) for reading in (0.5, 0.25))
    digests = {module.digest_of(parts) for parts in (Parts([one], [other]), Parts([other], [one]), Parts([one], [one]))}
    assert len(digests) == 3
