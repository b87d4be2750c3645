"""Commands that only one pipeline has."""

import pytest
import typer
from typer.testing import CliRunner

from histoserve.client import own_commands
from histoserve.client.cli import app


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*arguments], env={"COLUMNS": "200", "TERM": "dumb"})
    return result.exit_code, result.output


def test_they_are_listed_beside_the_others() -> None:
    code, said = run("--help")
    assert code == 0
    for name in ("analyze", *own_commands.of_rooms()):
        assert f" {name} " in said


def test_an_unknown_command_is_wrong_usage() -> None:
    code, said = run("read-tea-leaves")
    assert code == 2
    assert "read-tea-leaves" in said


def test_a_slide_is_read_by_ratio_or_count_alone(tmp_path) -> None:
    code, said = run("read-ihc", "slide.png", "-o", str(tmp_path), "--reading", "score")
    assert code == 2
    assert "'ratio', 'count'" in said


def test_errors_are_told_in_words(tmp_path) -> None:
    code, said = run("read-ihc", str(tmp_path / "no-slide.png"), "-o", str(tmp_path))
    assert code in (1, 2)
    assert "no-slide.png" in said
    assert "Traceback" not in said


def test_a_commands_own_error_ends_as_the_programs_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise KeyError("no")

    def wrapped(command: own_commands.Command) -> own_commands.Command:
        def told() -> None:
            try:
                command()
            except KeyError:
                raise typer.Exit(7) from None

        return told

    monkeypatch.setattr(own_commands, "of_rooms", lambda: {"broken": broken})
    program = typer.Typer(cls=own_commands.group(wrapped))
    program.command("whole")(lambda: None)
    program.command("other")(lambda: None)

    assert CliRunner().invoke(program, ["broken"]).exit_code == 7
