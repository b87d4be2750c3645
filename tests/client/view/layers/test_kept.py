"""The index is kept whole or not at all, and made again where it is damaged."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from made_up_layers import decoded, scattered, shapes_of

from histoserve.client.view.layers import kept as module
from histoserve.client.view.layers.drawn import DrawnLayer
from histoserve.client.view.layers.kept import ASIDE, LITTER_S, kept

SIZE = 9000, 900
BUILT = "sorting them by place"
Open = Callable[..., dict[str, DrawnLayer]]


@pytest.fixture
def folder(write: Callable[..., Path]) -> Path:
    return write(shapes_of(scattered(2100, SIZE)))


def made(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "a").write_text("made")


def loaded(folder: Path) -> str:
    return (folder / "deep" / "a").read_text()


def test_what_was_built_is_opened_again_and_draws_the_same(folder: Path, reopen: Open) -> None:
    told: list[str] = []
    first = [reopen(folder, SIZE)["0"].tile(z, 0, 0, None, None) for z in range(5)]
    again = [reopen(folder, SIZE, told)["0"].tile(z, 0, 0, None, None) for z in range(5)]
    assert told == []
    assert again == first
    assert all(decoded(png).any() for png in first)


def test_another_file_or_slide_or_other_classes_have_an_index_of_their_own(
    folder: Path, write: Callable[..., Path], reopen: Open
) -> None:
    reopen(folder, SIZE)
    for change in (lambda: (folder, (9001, 900)), lambda: (write(shapes_of(scattered(2100, SIZE, seed=1))), SIZE)):
        told: list[str] = []
        reopen(*change(), told)
        assert BUILT in told


@pytest.mark.parametrize("name", ["points.npy", "key.npy", "packed.bin", "blocks.npy"])
@pytest.mark.parametrize("damage", ["cut", "flip", "gone"])
def test_a_damaged_index_is_made_again(name: str, damage: str, folder: Path, reopen: Open, tmp_path: Path) -> None:
    right = reopen(folder, SIZE)["0"].tile(1, 1, 0, None, None)
    (path,) = (tmp_path / "cache").glob(f"*/0/{name}")
    content = path.read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes(content[:-9] if damage == "cut" else content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    told: list[str] = []
    assert reopen(folder, SIZE, told)["0"].tile(1, 1, 0, None, None) == right
    assert BUILT in told
    assert path.read_bytes() == content


@pytest.mark.parametrize("seal", [None, "", "{", "[]", "5", '{"deep/a": [4, 1]}', '{"no": [4, 1]}'])
def test_a_seal_that_is_broken_counts_as_none(seal: str | None, tmp_path: Path) -> None:
    made_up = tmp_path / "key"
    made_up.mkdir()
    if seal is not None:
        (made_up / module.SEAL).write_text(seal)
    assert kept(tmp_path, "key", made, loaded, pytest.fail) == "made"
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_of_two_that_make_the_same_one_the_first_stays(tmp_path: Path) -> None:
    def slowly(folder: Path) -> None:
        kept(tmp_path, "key", made, loaded, pytest.fail)
        made(folder)
        (folder / "deep" / "a").write_text("too late")

    assert kept(tmp_path, "key", slowly, loaded, pytest.fail) == "made"
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_process_that_is_killed_leaves_nothing_that_looks_whole(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from histoserve.client.view.layers.kept import kept\n"
        "def make(folder): (folder / 'half').write_text('half'); os.kill(os.getpid(), signal.SIGKILL)\n"
        "kept(Path(sys.argv[1]), 'key', make, str, print)"
    )
    assert subprocess.run([sys.executable, "-c", code, tmp_path], check=False).returncode == -9
    (litter,) = tmp_path.iterdir()
    assert litter.name.startswith(ASIDE)
    assert kept(tmp_path, "key", made, loaded, pytest.fail) == "made"
    assert litter.exists()
    os.utime(litter, (time.time() - LITTER_S - 9,) * 2)
    kept(tmp_path, "other", made, loaded, pytest.fail)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key", "other"]


def test_a_cache_that_cannot_be_written_is_told_and_done_without(folder: Path, reopen: Open, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file, where a folder should be")
    told: list[str] = []
    layer = reopen(folder, SIZE, told)["0"]
    (word,) = [each for each in told if "cannot be written" in each]
    assert str(tmp_path / "cache") in word
    assert decoded(layer.tile(4, 0, 0, None, None)).any()
    assert layer.at(*[float(place) for place in scattered(2100, SIZE)[7].mean(axis=0)])[-1].numbers


def test_what_cannot_be_made_leaves_nothing_and_says_why(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        made(folder)
        raise ValueError("line 3 is none")

    with pytest.raises(ValueError, match="line 3 is none"):
        kept(tmp_path, "key", fail, loaded, pytest.fail)
    assert not list(tmp_path.iterdir())
