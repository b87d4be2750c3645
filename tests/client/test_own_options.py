"""Options that only one pipeline has."""

from pathlib import Path

import pytest
from conftest import Command


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--crop", "1,2"], "--crop '1,2' is none: give x,y,width,height"),
        (["--crop", "0,0,0,5"], "--crop '0,0,0,5' is none"),
        (["--crop", "-1,0,5,5"], "is none"),
        (["--rotate", "nan"], "give numbers"),
        (["--enlarge", "inf"], "less than or equal to 16"),
        (["--enlarge", "0.5"], "greater than or equal to 1"),
        (["--regions", "-1"], "greater than or equal to 0"),
    ],
)
def test_what_is_none_is_wrong_usage(histoserve: Command, tmp_path: Path, options: list[str], told: str) -> None:
    code, said = histoserve("analyze", tmp_path / "a.png", "--pipeline", "spread", *options, "-o", tmp_path)
    assert code == 2
    assert told in said


def test_an_option_of_another_pipeline_is_told(histoserve: Command, tmp_path: Path) -> None:
    code, said = histoserve("analyze", tmp_path / "a.png", "--pipeline", "nuclei", "--rotate", "3", "-o", tmp_path)
    assert code == 2
    assert "--crop, --enlarge, --rotate, --regions are options of spread alone" in said
