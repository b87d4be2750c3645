"""`histoserve register`, as it is called."""

from pathlib import Path

import numpy as np
import pytest
from made_up_sections import he, ihc, save
from typer.testing import CliRunner

from histoserve.client.cli import app


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--mpp", "8", "--mpp-ihc", "8"], 1, "empty.png shows no tissue"),
        (["--mpp", "8"], 1, "empty.png does not say how large its pixels are"),
        (["--mpp", "0.001"], 2, "--mpp 0.001 is implausible"),
    ],
)
def test_what_goes_wrong_is_told_with_its_exit_code(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], options: list[str], code: int, said: str
) -> None:
    pair = save(he(1), tmp_path / "he.png"), save(np.full((300, 400, 3), 243, np.uint8), tmp_path / "empty.png")
    done = CliRunner().invoke(app, ["register", *map(str, pair), "-o", str(tmp_path / "out"), *options])
    assert done.exit_code == code
    assert said in " ".join((done.output + capfd.readouterr().err).split())
    assert not (tmp_path / "out").exists()


def test_a_registration_is_told_in_a_line_and_named(tmp_path: Path) -> None:
    pair = save(he(1), tmp_path / "he.png"), save(ihc(1), tmp_path / "ihc.png")
    done = CliRunner().invoke(app, ["register", *map(str, pair), "-o", str(tmp_path), "--mpp", "8", "--mpp-ihc", "8"])
    assert done.exit_code == 0
    assert "scaled by 1.00" in done.output
    assert done.output.splitlines()[-1] == str(tmp_path / "registration.json")
    assert (tmp_path / "checkerboard.png").exists()
