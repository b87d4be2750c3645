"""Which runtime runs what: two of one module are refused, and what was chosen is told."""

from pathlib import Path

import pytest

from histoserve.deploy.local.backends.onnxruntime.session import execution_providers
from histoserve.deploy.local.runtimes import in_lines
from histoserve.deploy.local.wheel import LocalTritonError, TritonWheel

CPU = ("CPUExecutionProvider", {})
TENSORRT = {"optimization": {"execution_accelerators": {"gpu_execution_accelerator": [{"name": "tensorrt"}]}}}


def pretend(folder: Path, name: str) -> None:
    """As if the package `name` were installed in `folder`."""
    (folder / f"{name.replace('-', '_')}-1.0.dist-info").mkdir()
    (folder / f"{name.replace('-', '_')}-1.0.dist-info" / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\n")


def test_two_packages_of_one_module_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(tmp_path, "onnxruntime")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert TritonWheel.installed()
    pretend(tmp_path, "onnxruntime-gpu")
    with pytest.raises(LocalTritonError, match=r"are one module: pip uninstall .*'histoserve\[gpu\]'") as told:
        TritonWheel.installed()
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("config", "kind", "available", "first"),
    [
        ({}, "CPU", ["TensorrtExecutionProvider", "CUDAExecutionProvider"], "CPUExecutionProvider"),
        ({}, "GPU", ["TensorrtExecutionProvider", "CUDAExecutionProvider"], "CUDAExecutionProvider"),
        (TENSORRT, "GPU", ["TensorrtExecutionProvider", "CUDAExecutionProvider"], "TensorrtExecutionProvider"),
        (TENSORRT, "GPU", ["CUDAExecutionProvider"], "CUDAExecutionProvider"),
        (TENSORRT, "GPU", [], "CPUExecutionProvider"),
        (TENSORRT, "CPU", ["TensorrtExecutionProvider"], "CPUExecutionProvider"),
    ],
)
def test_what_is_there_and_what_the_config_asks_for_choose_the_provider(
    config: dict, kind: str, available: list[str], first: str
) -> None:
    chosen = execution_providers(config, kind, 0, [*available, "CPUExecutionProvider"])
    assert chosen[0][0] == first
    assert chosen[-1] == CPU


def test_what_was_chosen_is_told_by_provider(tmp_path: Path) -> None:
    line = 'I1127 17:00:00.0 1 model.py:51] "{}_0_{}: /models/{}/1/model.onnx on {}"\n'
    cuda = "CUDAExecutionProvider, CPUExecutionProvider"
    said = [("b", 0, cuda), ("a", 0, cuda), ("a", 1, cuda), ("c", 0, "CPUExecutionProvider")]
    (tmp_path / "log").write_text("".join(line.format(name, n, name, each) for name, n, each in said))
    assert in_lines(tmp_path / "log") == ["runs     c: CPUExecutionProvider", f"runs     a, b: {cuda}"]
