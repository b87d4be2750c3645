"""Commands that are found by looking into the pipelines' rooms."""

import re

import pytest
from typer.testing import CliRunner

from histoserve.client.cli import app
from histoserve.client.rooms import rooms


def histoserve(*arguments: str) -> tuple[int, str]:
    """In this process: a process of its own would import PyTorch for each."""
    done = CliRunner().invoke(app, arguments, prog_name="histoserve")
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, done.output


def test_a_room_says_what_it_is() -> None:
    assert rooms("histoserve.export", "train")["nuclei"].startswith("Nuclei of H&E tissue")
    assert "extractors" not in rooms("histoserve.export.peakmap", "train")


def test_an_option_of_one_pipeline_is_shown_by_that_one() -> None:
    code, said = histoserve("train", "peakmap", "--help")
    assert code == 0
    assert "--extractor" in said
    assert "--width" not in said


@pytest.mark.parametrize("name", rooms("histoserve.export", "score"))
def test_every_score_takes_results_and_labelled_data(name: str) -> None:
    code, said = histoserve("score", name, "--help")
    assert code == 0
    assert re.search(rf"histoserve score {name} \[OPTIONS\] \{{RESULTS\}}\s", said)
    assert "--data" in said


def test_what_only_one_score_has_is_an_option_of_that_one() -> None:
    code, said = histoserve("score", "nuclei", "x", "--data", "y", "--weights", "z")
    assert code == 2
    assert "No such option: --weights" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nuclei", "-o", "x", "--extractor", "detector"), "No such option: --extractor"),
        (("nuclei", "-o", "x"), "Missing option '--data'"),
        (("moons", "-o", "x"), "no network is called 'moons'; there are: "),
    ],
)
def test_a_choice_that_a_pipeline_does_not_have_is_wrong_usage(arguments: tuple[str, ...], words: str) -> None:
    code, said = histoserve("train", *arguments)
    assert code == 2
    assert words in said
