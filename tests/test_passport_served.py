"""Passports and golden outputs at a real Triton: what is not its passport's does not load, what strays is told."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from histoserve.deploy.local.serve import serve
from histoserve.deploy.local.triton import LocalTriton, LocalTritonError
from histoserve.export.golden import arrays_in
from histoserve.export.golden_check import check

REPOSITORY = Path(__file__).parents[1] / "model_repository"
Changed = Callable[[str, Callable[[dict[str, np.ndarray]], object]], Path]


@pytest.fixture
def changed(tmp_path: Path) -> Changed:
    """A repository of one model whose golden outputs are others, as if the server computed otherwise."""

    def change(model: str, edit: Callable[[dict[str, np.ndarray]], object]) -> Path:
        folder = shutil.copytree(REPOSITORY / model, tmp_path / model) / "1"
        arrays = {name: each.copy() for name, each in arrays_in(folder / "golden.npz").items()}
        edit(arrays)
        np.savez_compressed(folder / "golden.npz", **arrays)
        passport = json.loads((folder / "passport.json").read_bytes())
        passport["golden"]["sha256"] = hashlib.sha256((folder / "golden.npz").read_bytes()).hexdigest()
        (folder / "passport.json").write_text(json.dumps(passport))
        return tmp_path

    return change


def test_neither_a_graph_that_is_not_its_passports_nor_its_stage_loads(tmp_path: Path) -> None:
    for name in ("peakmap_classifier", "peakmap_filter"):
        shutil.copytree(REPOSITORY / name, tmp_path / name)
    path = tmp_path / "peakmap_classifier" / "1" / "model.onnx"
    said = hashlib.sha256(path.read_bytes()).hexdigest()
    graph = onnx.load(path)
    graph.graph.doc_string = "another"
    onnx.save(graph, path)
    with pytest.raises(LocalTritonError) as told:
        LocalTriton(tmp_path, models=["peakmap_classifier", "peakmap_filter"], state=tmp_path / "state").start()
    message = str(told.value)
    assert "\n" not in message
    assert message.count("failed to load") == 1
    assert message.count(hashlib.sha256(path.read_bytes()).hexdigest()) == message.count(said) == 1
    assert "histoserve.export.passports --repository" in message


def test_the_shipped_networks_give_their_golden_outputs(server: LocalTriton) -> None:
    lines = list(check(server.grpc, REPOSITORY, ["tissue_network", "peakmap_network", "peakmap_classifier"]))
    assert [line.partition(":")[0] for line in lines] == ["tissue_network", "peakmap_network", "peakmap_classifier"]
    assert all("NETWORK within 0 of the largest" in line for line in lines[:2])


def scaled(name: str, by: float) -> Callable[[dict[str, np.ndarray]], object]:
    return lambda arrays: arrays[name].__imul__(arrays[name].dtype.type(by))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (scaled("output/EMBEDDING", 1.02), r"peakmap_encoder: EMBEDDING: \d.*% differ by more than 0.002 of the larg"),
        (scaled("output/LOGIT", np.nan), "peakmap_encoder: LOGIT: 100.00% differ"),
        (lambda arrays: arrays.update({"output/LOGIT": arrays["output/LOGIT"][:, 0]}), r"LOGIT is .* wanted"),
    ],
    ids=["two per cent", "no number", "shape"],
)
def test_a_network_that_strays_is_told(
    server: LocalTriton, changed: Changed, edit: Callable[[dict[str, np.ndarray]], object], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as told:
        list(check(server.grpc, changed("peakmap_encoder", edit)))
    assert "\n" not in str(told.value)


def test_outputs_that_strayed_a_little_pass(server: LocalTriton, changed: Changed) -> None:
    assert list(check(server.grpc, changed("peakmap_encoder", scaled("output/EMBEDDING", 1.0005))))


def test_the_command_ends_with_1(
    server: LocalTriton, changed: Changed, histoserve: Callable[..., tuple[int, str]]
) -> None:
    repository = changed("peakmap_encoder", scaled("output/EMBEDDING", 1.02))
    code, told = histoserve("golden", "--server", server.grpc, "--repository", repository)
    assert (code, "does not give the golden outputs" in told) == (1, True)
    assert histoserve("golden", "--server", server.grpc, "peakmap_encoder")[0] == 0
    code, told = histoserve("golden", "--server", server.grpc, "nuclei_decode")
    assert (code, "nuclei_decode: no golden outputs in" in told) == (1, True)
    code, told = histoserve("golden", "--server", "127.0.0.1:1", "peakmap_encoder")
    assert (code, "peakmap_encoder on 127.0.0.1:1" in told) == (1, True)


def test_serve_ends_where_a_network_strays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], changed: Changed
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    repository = changed("peakmap_encoder", scaled("output/EMBEDDING", 1.02))
    assert serve(repository, tried=lambda address, models: check(address, models)) == 1
    printed = capsys.readouterr()
    assert "peakmap_encoder: EMBEDDING" in printed.out
    assert "ready" not in printed.out
    assert "does not give the golden outputs" in printed.err


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("golden.npz", b"PK\x03\x04 no more", "is not what passport.json says: its sha256 is"),
        ("passport.json", b"{}", "says nothing of golden.npz"),
    ],
)
def test_damaged_files_are_told_in_a_line(
    server: LocalTriton, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    shutil.copytree(REPOSITORY / "peakmap_encoder", tmp_path / "peakmap_encoder")
    (tmp_path / "peakmap_encoder" / "1" / name).write_bytes(content)
    with pytest.raises(ValueError, match=message) as told:
        list(check(server.grpc, tmp_path))
    assert "\n" not in str(told.value)


def test_a_server_of_another_graph_is_told(server: LocalTriton, tmp_path: Path) -> None:
    folder = shutil.copytree(REPOSITORY / "peakmap_encoder", tmp_path / "peakmap_encoder") / "1"
    passport = json.loads((folder / "passport.json").read_bytes())
    passport["graph"]["sha256"] = 64 * "0"
    (folder / "passport.json").write_text(json.dumps(passport))
    with pytest.raises(ValueError, match=r"peakmap_encoder: the server has the graph \w{64}, .* is of 0{64}"):
        list(check(server.grpc, tmp_path))
