"""`histoserve export`: what it refuses, what it says, and what it leaves when it fails or dies."""

import errno
import pickle
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from histoserve.export import commands, passport
from histoserve.export.commands import export
from histoserve.export.config import GraphDoesNotFit
from histoserve.export.served import ServedGraph
from histoserve.export.weight_file import save_with_score
from histoserve.export.whole import write_together

SHIPPED = Path(__file__).parents[2] / "model_repository"
EXPORT = Path(__file__).parents[2] / "export"


class Gain(nn.Module):
    """The smallest network that fits the nuclei pipeline."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(3))

    def forward(self, image: Tensor) -> Tensor:
        return (image.float() * self.gain).clamp(0, 255).to(torch.uint8)


def served(state: dict[str, Tensor]) -> list[ServedGraph]:
    module = Gain()
    module.load_state_dict(state)
    example = (torch.zeros(2, 64, 96, 3, dtype=torch.uint8),)
    free = {"IMAGE": {0: "N", 1: "H", 2: "W"}}
    return [ServedGraph("nuclei_network", module, example, ("IMAGE",), ("MAPS",), free, {"mpp": "0.25"}, stamped=True)]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository that is the installed one; the pipeline `nuclei` is the small network."""
    repository = Path(shutil.copytree(SHIPPED, tmp_path / "the installed"))
    (repository / "nuclei_network" / "1" / "origin.json").unlink(missing_ok=True)
    monkeypatch.setattr(commands, "INSTALLED", repository)
    monkeypatch.setattr(
        commands, "room", lambda *_: SimpleNamespace(served=served, __file__=EXPORT / "nuclei" / "network.py")
    )
    return repository


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    save_with_score({"gain": torch.full((3,), 0.5)}, tmp_path / "gain.pt", {"pq": 0.391})
    return tmp_path / "gain.pt"


def content(repository: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()}


def test_the_installed_repository_is_left_unless_told_and_both_networks_are_shown(
    installed: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = content(installed)
    for repository in (None, installed / ".." / installed.name):
        with pytest.raises(ValueError, match=r"^nothing was written: .*--replace"):
            export("nuclei", weights, repository)
        assert content(installed) == before
    export("nuclei", weights, None, replace=True)
    export("nuclei", weights, None, replace=True)
    told = [line.split(":", 1)[1].strip() for line in capsys.readouterr().out.splitlines() if "graph" in line]
    assert told[0].endswith("MiB, weights unknown, score unknown")
    assert "from gain.pt" in told[1]
    assert told[1].endswith("score pq 0.391")
    # The first four are the two refusals; then what was exported is what was served, and once more.
    assert told[4:] == [told[0], *told[1:2] * 3]


def test_an_export_that_is_made_twice_gives_the_same_files(installed: Path, weights: Path) -> None:
    export("nuclei", weights, installed, replace=True)
    before = content(installed)
    export("nuclei", weights, installed, replace=True)
    assert content(installed) == before
    assert {path.name for path in (installed / "nuclei_network").rglob("*")} == {
        *("1", "config.pbtxt", "golden.npz", "model.onnx", "origin.json", "passport.json")
    }


class Code:
    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("raise SystemExit('the code ran')",)


def saved(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / "odd weights.pt"
    states: dict[str, Any] = {
        "code": {"gain": Code()},
        "nan": {"gain": torch.tensor([1, float("nan"), 1])},
        "shape": {"gain": torch.ones(5)},
        "checkpoint": {"network": {}, "optimizer": {}},
        "list": [torch.ones(3)],
        "other": {"gains": torch.ones(3)},
    }
    torch.save(states.get(kind, {"gain": torch.ones(3)}), path)
    if kind == "truncated":
        path.write_bytes(path.read_bytes()[:-200])
    if kind in ("text", "empty", "pickle"):
        path.write_bytes({"text": b"weights", "empty": b"", "pickle": pickle.dumps(Code(), protocol=2)}[kind])
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("code", "holds code beside tensors"),
        ("pickle", "holds code beside tensors"),
        ("nan", "gain holds NaN or infinity"),
        ("shape", "no weights of a nuclei network: size mismatch for gain"),
        ("other", "no weights of a nuclei network: Missing key"),
        ("checkpoint", "is the checkpoint of a training"),
        ("list", "a tensor each are wanted, a list came"),
        ("truncated", "or a damaged one"),
        ("text", "is no file of weights"),
        ("empty", "is no file of weights"),
    ],
)
def test_weights_that_are_none_are_told_in_a_line(installed: Path, tmp_path: Path, kind: str, message: str) -> None:
    with pytest.raises(ValueError, match=rf"odd weights\.pt.*{message}") as told:
        export("nuclei", saved(tmp_path, kind), installed, replace=True)
    assert "\n" not in str(told.value)


def test_weights_of_another_pipeline_are_told_in_a_line() -> None:
    for name, other in (("nuclei", "peakmap"), ("peakmap", "nuclei")):
        with pytest.raises(ValueError, match=rf"weights\.pt holds no weights of a {name} network: there is n"):
            export(name, EXPORT / other / "weights.pt", None)


class Turning(Gain):
    """The order of 0.1.0: TensorRT casts bytes at the border alone."""

    def forward(self, image: Tensor) -> Tensor:
        return super().forward(image.flip(3)[:, :, :, [2, 1, 0]])


class Ranking(Gain):
    """Of the operators of the list; TensorRT sorts out at most 3840."""

    def forward(self, image: Tensor) -> Tensor:
        highest = image.float().flatten(1).topk(3841).values[:, -1]
        return (image.float() * self.gain + highest[:, None, None, None] / 255).clamp(0, 255).to(torch.uint8)


@pytest.mark.parametrize("installed_too", [True, False], ids=["with TensorRT", "without"])
def test_a_network_that_turns_bytes_is_refused_by_its_node(
    installed: Path, weights: Path, monkeypatch: pytest.MonkeyPatch, installed_too: bool
) -> None:
    before = content(installed)
    monkeypatch.setattr(sys.modules[__name__], "Gain", Turning)
    if not installed_too:
        monkeypatch.setattr(passport, "library", lambda: None)
    with pytest.raises(
        ValueError, match=r"^nuclei_network: node \S+ \(\w+\) takes IMAGE as UINT8.*cast the input first"
    ):
        export("nuclei", weights, installed, replace=True)
    assert content(installed) == before


def test_a_network_that_tensorrt_does_not_take_is_refused_by_its_node(
    tensorrt: ModuleType, installed: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(installed)
    monkeypatch.setattr(sys.modules[__name__], "Gain", Ranking)
    with pytest.raises(ValueError, match=r"^nuclei_network: TensorRT \S+ builds no engine of 16 rows: .*K exceeds"):
        export("nuclei", weights, installed, replace=True)
    assert content(installed) == before


def test_a_folder_without_the_pipeline_is_refused(installed: Path, weights: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no model repository at .*nowhere.*cp -r"):
        export("nuclei", weights, tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(GraphDoesNotFit, match=r"no pipeline in .* has a step nuclei_network"):
        export("nuclei", weights, tmp_path / "empty")
    assert not list((tmp_path / "empty").iterdir())


@contextmanager
def full_disk() -> Iterator[None]:
    """No file grows beyond 10 kB, as if the disk were full; around nothing that prints, as that may go to a file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_all_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "config.pbtxt").write_bytes(b"old")
    with pytest.raises(OSError, match="model") as told, full_disk():
        write_together({tmp_path / "config.pbtxt": b"new", tmp_path / "new" / "1" / "model.onnx": bytes(20_000)})
    assert told.value.errno == errno.EFBIG
    assert content(tmp_path) == {tmp_path / "config.pbtxt": b"old"}
    assert not (tmp_path / "new").exists()


def files(folder: Path, word: bytes) -> dict[Path, bytes]:
    return {folder / model / name: word for model in ("a", "b") for name in ("config.pbtxt", "model.onnx")}


@pytest.mark.parametrize("failing", range(6))
def test_a_change_that_fails_in_the_middle_leaves_all_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    write_together(files(tmp_path, b"old"))
    calls, replace = iter(range(100)), Path.replace

    def fail_once(path: Path, target: Path) -> Path:
        if next(calls) == failing:
            raise OSError(errno.EIO, "I/O error", str(path))
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", fail_once)
    with pytest.raises(OSError, match="I/O error"):
        write_together(files(tmp_path, b"new"))
    assert content(tmp_path) == files(tmp_path, b"old")


DYING = """
import os, sys
from pathlib import Path
from histoserve.export.whole import write_together
calls, replace = iter(range(100)), Path.replace
Path.replace = lambda path, target: os._exit(9) if next(calls) == {at} else replace(path, target)
folder = Path({folder!r})
write_together({{folder / m / n: b"new" for m in ("a", "b") for n in ("config.pbtxt", "model.onnx")}})
"""


@pytest.mark.parametrize("at", range(6))
def test_a_killed_export_never_leaves_a_graph_beside_another_ones_config(tmp_path: Path, at: int) -> None:
    write_together(files(tmp_path, b"old"))
    died = subprocess.run([sys.executable, "-c", DYING.format(at=at, folder=str(tmp_path))], check=False)
    assert died.returncode == 9
    left = {path: path.read_bytes() for path in files(tmp_path, b"") if path.exists()}
    whole = [left == files(tmp_path, word) for word in (b"old", b"new")]
    assert any(whole) or any(path.name == "model.onnx" for path in files(tmp_path, b"").keys() - left.keys())
    write_together(files(tmp_path, b"new"))
    assert content(tmp_path) == files(tmp_path, b"new")


@pytest.mark.parametrize(
    ("precision", "tiles", "message"),
    [
        ("fp8", None, "no precision is called 'fp8'; there are: fp32, fp16, int8"),
        ("fp16", None, r"--precision fp16 is tried on real tissue .*--tiles FOLDER"),
        ("fp32", Path(), "--tiles are for --precision fp16 or int8"),
        ("int8", Path("nowhere"), "no folder nowhere"),
        ("fp16", EXPORT / "nuclei", "holds no colour picture"),
    ],
)
def test_a_precision_without_tiles_to_try_it_on_is_refused(
    installed: Path, weights: Path, precision: str, tiles: Path | None, message: str
) -> None:
    before = content(installed)
    with pytest.raises(ValueError, match=message) as told:
        export("nuclei", weights, installed, replace=True, precision=precision, tiles=tiles)
    assert "\n" not in str(told.value)
    assert content(installed) == before


def test_a_network_without_a_trunk_has_no_other_precision(installed: Path, weights: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((512, 512, 3), np.uint8))
    for precision in ("fp16", "int8"):
        with pytest.raises(ValueError, match=f"^nuclei_network cannot become {precision}: .*real tiles|no convolution"):
            export("nuclei", weights, installed, replace=True, precision=precision, tiles=tmp_path)
