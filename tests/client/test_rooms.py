"""Commands that are found by looking into the pipelines' rooms."""

import subprocess
import sys

import pytest

from histoserve.client.rooms import rooms


def histoserve(*arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "histoserve", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def test_a_room_says_what_it_is() -> None:
    assert rooms("histoserve.export", "train")["nuclei"].startswith("Nuclei of H&E tissue")
    assert "extractors" not in rooms("histoserve.export.peakmap", "train")


def test_an_option_of_one_pipeline_is_shown_by_that_one() -> None:
    code, said = histoserve("train", "peakmap", "--help")
    assert code == 0
    assert "--extractor" in said
    assert "--width" not in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nuclei", "-o", "x", "--extractor", "detector"), "No such option: --extractor"),
        (("nuclei", "-o", "x"), "Missing option '--data'"),
        (("moons", "-o", "x"), "no network is called 'moons'; there are: nuclei, peakmap"),
    ],
)
def test_a_choice_that_a_pipeline_does_not_have_is_wrong_usage(arguments: tuple[str, ...], words: str) -> None:
    code, said = histoserve("train", *arguments)
    assert code == 2
    assert words in said
