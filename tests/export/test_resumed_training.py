"""A training that was interrupted ends with the same bytes as one that was not; what cannot go on is told in a line."""

import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from interrupted import interrupted_once, same
from torch import nn

from histoserve.export.checkpoint import random_state, restore_random_state
from histoserve.export.commands import train as train_command
from histoserve.export.commands import trained_on
from histoserve.export.fit import Training, fit
from histoserve.export.nuclei import train as nuclei
from histoserve.export.nuclei.tiles import LabelledTile


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("at", [0, 1, 2])
def test_nuclei_goes_on_to_the_bit_with_its_attention_left_out_at_random(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    instances = np.kron(np.arange(9, dtype=np.int32).reshape(3, 3), np.ones((32, 32), np.int32))
    tiles = [LabelledTile(name, noise, instances, np.arange(9, dtype=np.uint8) % 5) for name in ("a", "train_02")]
    score: Callable[..., Any] = lambda network, *_: {"pq": float(next(network.parameters()).detach().sum())}  # noqa: E731
    for name, value in (("consep_tiles", lambda _: tiles), ("CROP_PX", 32), ("FRAME_PX", 8), ("BATCH", 2)):
        monkeypatch.setattr(nuclei, name, value)

    def train(out: Path, score: Callable[..., Any]) -> dict[str, torch.Tensor]:
        monkeypatch.setattr(nuclei, "score_network", score)
        nuclei.train(tmp_path, out, width=0.0625, epochs=3, steps=2)
        return torch.load(out / "last.pt", weights_only=True)["network"]

    whole = train(tmp_path / "whole", score)
    with pytest.raises(KeyboardInterrupt, match=f"up to epoch {at} of 3" if at else "no epoch of 3 was done"):
        train(tmp_path / "cut", interrupted_once(score, at))
    assert same(train(tmp_path / "cut", score), whole)


def test_every_generator_goes_on_where_it_was() -> None:
    def draw() -> list[float]:
        return [float(torch.rand(1)), float(np.random.random()), random.random()]

    state = random_state()
    first = draw()
    restore_random_state(state)
    assert draw() == first


def run(out: Path, inputs: int = 3, **options: Any) -> Path:
    torch.manual_seed(0)
    loss: Callable[..., Any] = lambda network, batch: network(batch).square().mean()  # noqa: E731
    score: Callable[..., Any] = lambda network: {"near": -float(network(torch.ones(inputs)).detach().abs())}  # noqa: E731
    epochs, settings = options.pop("epochs", 2), {"loss": loss, **options}
    return fit(
        Training(nn.Linear(inputs, 1), lambda _: [torch.ones(2, inputs)] * 2, 2, score=score, rate=0.1, **settings),
        epochs,
        out,
    )


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"epochs": 4}, "has epochs 2, and now it is 4"),
        ({"made_of": {"seed": 1}}, "has seed None, and now it is 1"),
        ({"inputs": 4}, "of another network"),
    ],
)
def test_a_checkpoint_of_another_training_is_not_gone_on_with(
    tmp_path: Path, other: dict[str, Any], message: str
) -> None:
    run(tmp_path)
    before = (tmp_path / "last.pt").read_bytes()
    with pytest.raises(ValueError, match=message):
        run(tmp_path, **other)
    assert (tmp_path / "last.pt").read_bytes() == before


def test_a_checkpoint_of_before_there_was_a_schedule_is_told_in_a_line(tmp_path: Path) -> None:
    run(tmp_path)
    state = torch.load(tmp_path / "last.pt", weights_only=True)
    del state["schedule"]
    torch.save(state, tmp_path / "last.pt")
    with pytest.raises(ValueError, match=r"last\.pt is no checkpoint of this version of histoserve; give another -o"):
        run(tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"words", None])
def test_a_damaged_checkpoint_is_told_in_a_line(tmp_path: Path, content: bytes | None) -> None:
    run(tmp_path)
    last = tmp_path / "last.pt"
    last.write_bytes(last.read_bytes()[:-100] if content is None else content)
    with pytest.raises(ValueError, match=r"^cannot go on: .*last\.pt .*damaged.*another -o") as told:
        run(tmp_path)
    assert "\n" not in str(told.value)


def test_a_loss_that_is_no_number_ends_the_training(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="epoch 1 gave no finite loss"):
        run(tmp_path, loss=lambda network, batch: network(batch).sum() * float("nan"))
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_told_before_the_first_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10}))
    with pytest.raises(OSError, match="no room for a checkpoint"):
        run(tmp_path)


def test_the_command_says_what_an_interruption_left_and_what_to_do_with_what_was_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(nuclei, "train", lambda data, out, epochs, seed: run(out))
    train_command("nuclei", tmp_path, data=tmp_path, epochs=2, seed=0)
    printed = capsys.readouterr().out
    assert f"histoserve export nuclei --weights {tmp_path}/nuclei.pt --repository {tmp_path}/repository\n" in printed
    assert f"histoserve serve --repository {tmp_path}/repository\n" in printed
    assert torch.load(tmp_path / "nuclei.pt", weights_only=True)["weight"].dtype == torch.float16

    def interrupt(data: Path, out: Path, epochs: int, seed: int) -> Path:
        raise KeyboardInterrupt("last.pt keeps what was trained up to epoch 1 of 2")

    monkeypatch.setattr(nuclei, "train", interrupt)
    with pytest.raises(KeyboardInterrupt, match="up to epoch 1 of 2; the same command goes on there"):
        train_command("nuclei", tmp_path, data=tmp_path, epochs=2, seed=0)


def test_an_interruption_while_slides_are_drawn_is_told_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(out: Path) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(nuclei, "train", interrupt)
    with pytest.raises(KeyboardInterrupt, match=r"^what was finished is kept; the same command goes on there"):
        train_command("nuclei", tmp_path)


def test_weights_that_a_training_started_from_are_told_by_what_they_hold_and_folders_are_not(tmp_path: Path) -> None:
    start = tmp_path / "somebody.pt"
    start.write_bytes(b"abc")
    options = {"data": tmp_path, "weights": start, "epochs": 2, "steps": None}

    told = trained_on(SimpleNamespace(TRAINED_ON="tiles"), options)  # type: ignore[arg-type]

    assert told == "tiles; --weights sha256:ba7816bf8f01 --epochs 2"
    assert trained_on(SimpleNamespace(TRAINED_ON="tiles"), {"data": tmp_path}) == "tiles"  # type: ignore[arg-type]
