"""Training goes on, with more slides, until the network is good enough as served; an interruption costs no round."""

from pathlib import Path

import numpy as np
import pytest
import torch
from interrupted import same

from histoserve.export.tissue import rounds as module
from histoserve.export.tissue import train as training
from histoserve.export.tissue.rounds import MEASURE, SERVED_SEED, serve_and_score, train_until, write_slide
from histoserve.export.tissue.slides import SIDE, TILES, TRAINING_SEED, VALIDATION_SEED, KnownSlide


class Work:
    """A training whose weights are the number of their round, and a server on which they reach `accuracies`."""

    def __init__(self, *accuracies: float):
        self.accuracies = accuracies
        self.trained: list[tuple[int, str, str | None]] = []
        self.served: list[str] = []

    def train(self, number: int, folder: Path, before: Path | None) -> Path:
        self.trained.append((number, folder.name, before and before.read_text()))
        (folder / "best.pt").write_text(f"weights {number}")
        return folder / "best.pt"

    def serve(self, weights: Path, results: Path) -> dict[str, float]:
        self.served.append(f"{weights.read_text()} in {results.relative_to(weights.parent)}")
        return {MEASURE: self.accuracies[int(weights.read_text()[-1])]}


@pytest.mark.parametrize(
    ("accuracies", "best", "served"),
    [((0.9,), 0, 1), ((0.5, 0.8), 1, 2), ((0.5, 0.6, 0.55), 1, 3), ((float("nan"), 0.1, 0.1), 1, 3)],
)
def test_rounds_end_where_the_target_is_reached(
    tmp_path: Path, accuracies: tuple[float, ...], best: int, served: int
) -> None:
    work = Work(*accuracies)

    found = train_until(0.8, 3, tmp_path, work.train, work.serve)

    assert found.read_text() == f"weights {best}"
    assert len(work.served) == served


def test_a_round_goes_on_from_the_weights_of_the_one_before(tmp_path: Path) -> None:
    work = Work(0.1, 0.1, 0.1)

    train_until(0.8, 3, tmp_path, work.train, work.serve)

    assert work.trained == [(0, tmp_path.name, None), (1, "round-2", "weights 0"), (2, "round-3", "weights 1")]
    assert work.served == [f"weights {number} in served" for number in range(3)]


def test_what_was_served_is_not_served_again(tmp_path: Path) -> None:
    first = Work(0.1, 0.2)
    train_until(0.8, 2, tmp_path, first.train, first.serve)
    again = Work(0.1, 0.2, 0.9)

    found = train_until(0.8, 3, tmp_path, again.train, again.serve)

    assert again.served == ["weights 2 in served"]
    assert found.read_text() == "weights 2"


def test_other_weights_are_served_anew(tmp_path: Path) -> None:
    work = Work(0.1, 0.9)
    train_until(0.05, 1, tmp_path, work.train, work.serve)

    train_until(0.05, 1, tmp_path, lambda number, folder, _: work.train(1, folder, None), work.serve)

    assert work.served == ["weights 0 in served", "weights 1 in served"]


def test_served_slides_are_seen_by_no_training() -> None:
    most = training.SEEDS * 99
    assert TRAINING_SEED + most < VALIDATION_SEED < VALIDATION_SEED + most < SERVED_SEED


def test_a_slide_is_drawn_with_its_truth_unless_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SIZE", (64, 64))
    path = write_slide(tmp_path, SERVED_SEED)
    content, time = path.read_bytes(), path.stat().st_mtime_ns
    assert write_slide(tmp_path, SERVED_SEED).stat().st_mtime_ns == time
    # As an interruption between the two files leaves it.
    path.with_suffix(".geojson").unlink()

    assert write_slide(tmp_path, SERVED_SEED).read_bytes() == content
    assert path.with_suffix(".geojson").exists()


def known(name: str, grey: int) -> KnownSlide:
    """A slide of one grey, with a cell in each tile."""
    cells = np.stack(np.meshgrid(*[np.arange(TILES) * SIDE + SIDE / 2] * 2), -1).reshape(-1, 2).astype(np.float32)
    image = np.full((TILES * SIDE, TILES * SIDE, 3), grey, np.uint8)
    return KnownSlide(image, cells, np.full(len(cells), name != "normal"), name)


def test_a_training_in_rounds_draws_more_each_time_and_starts_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slides = [known(name, 20 * n) for n, name in enumerate(("normal", "solid", "cribriform", "solid", "normal"))]
    drawn: list[int] = []
    started: list[dict[str, torch.Tensor]] = []

    def fit(described: training.Training, epochs: int, out: Path) -> Path:
        started.append({name: each.clone() for name, each in described.network.state_dict().items()})
        weights = {name: each + (1 if each.is_floating_point() else 0) for name, each in started[-1].items()}
        torch.save(weights, out / "best.pt")
        return out / "best.pt"

    monkeypatch.setattr(training, "draw_slides", lambda folder, seeds: drawn.append(len(seeds)) or list(seeds))
    monkeypatch.setattr(training, "read_slide", lambda file: slides[file % 5])
    monkeypatch.setattr(training, "fit", fit)
    monkeypatch.setattr(training, "serve_and_score", lambda slides, seed, weights, results: {MEASURE: 0.4})

    training.train(tmp_path, width=0.0625, slides=5, tiles=4, epochs=1, until=0.5, rounds=3)

    assert drawn == [5, 7, 9]
    assert same(started[1], torch.load(tmp_path / "best.pt", weights_only=True))
    assert same(started[2], torch.load(tmp_path / "round-2" / "best.pt", weights_only=True))


def test_weights_that_no_server_can_have_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "drawn", lambda write, seeds: [tmp_path / f"{seed}.tiff" for seed in seeds])
    torch.save({"gain": torch.ones(1)}, tmp_path / "other.pt")

    with pytest.raises(ValueError, match=r"other.pt holds no weights of a tissue network"):
        serve_and_score(tmp_path / "slides", SERVED_SEED, tmp_path / "other.pt", tmp_path / "results")
    assert not (tmp_path / "results").exists()
