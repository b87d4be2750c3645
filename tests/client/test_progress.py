"""What is shown of a call's progress."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from histoserve.client.progress import Board
from histoserve.client.results.summary import Row


@pytest.fixture
def slides(tmp_path: Path) -> list[Path]:
    """One is three times as large as the other."""
    paths = [tmp_path / "large.svs", tmp_path / "[bold]small.svs"]
    for path, size in zip(paths, (3000, 1000), strict=True):
        path.write_bytes(bytes(size))
    return paths


def shown(slides: list[Path], *, terminal: bool, quiet: bool = False) -> str:
    """Both slides analysed in 100 tiles each, the second one with a complaint."""
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=120, markup=False, highlight=False, soft_wrap=True)
    with Board(slides, ["nuclei"], console, quiet) as board:
        for slide in slides:
            with board.watcher(slide, "nuclei") as watcher:
                watcher.phase("planning")
                watcher.planned(100)
                for _ in range(100):
                    watcher.done(1)
            board.finished(slide, Row(slide.name, "nuclei", "complete", remark="damaged" if slide is slides[1] else ""))
    console.print("the end")
    return text.getvalue()


def test_in_a_log_a_line_comes_each_tenth_of_the_bytes(slides: list[Path]) -> None:
    lines = shown(slides, terminal=False).splitlines()

    assert [line.split(",")[0] for line in lines[:9]] == [f"histoserve: {n}0 %" for n in range(1, 10)]
    assert [line.split(", ")[1] for line in lines[6:8]] == ["0 of 2 done", "1 of 2 done"]
    assert all(" left" in line for line in lines[:9])
    assert lines[9:] == ["histoserve: [bold]small.svs, nuclei: damaged", "histoserve: 100 %, 2 of 2 done", "the end"]


def test_a_tile_that_is_tried_again_counts_once(slides: list[Path]) -> None:
    text = io.StringIO()
    with Board(slides[:1], ["nuclei"], Console(file=text)) as board, board.watcher(slides[0], "nuclei") as watcher:
        watcher.planned(10)
        for tiles in (5, -1, 1):
            watcher.done(tiles)

    assert [line[:16] for line in text.getvalue().splitlines()] == ["histoserve: 50 %"]


def test_on_a_terminal_what_is_said_afterwards_stands_below_nothing(slides: list[Path]) -> None:
    text = shown(slides, terminal=True)

    assert "large.svs: planning" in text
    assert "histoserve: [bold]small.svs, nuclei: damaged" in text
    # The lines of the bars are erased before the end.
    assert text.rindex("\x1b[2K") > text.rindex("of 2 done")


def test_quiet_shows_no_progress(slides: list[Path]) -> None:
    assert shown(slides, terminal=True, quiet=True).splitlines() == [
        "histoserve: [bold]small.svs, nuclei: damaged",
        "the end",
    ]
