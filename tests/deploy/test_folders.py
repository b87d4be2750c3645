"""Folders that Triton's shell would misread, and folders that cannot be written."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from histoserve.deploy.local import folders
from histoserve.deploy.local.triton import LocalTriton, LocalTritonError
from histoserve.deploy.local.wheel import TritonWheel

NOW = np.zeros(1, np.float32)
IN_A_SMALL_FILE_SYSTEM = """
mount -t tmpfs -o size=64k none "$1" || exit 77
exec "$2" -c 'import sys; from pathlib import Path
from histoserve.deploy.local.triton import LocalTriton
LocalTriton(Path(sys.argv[1]), models=["where"], state=Path(sys.argv[2])).start()' "$3" "$4"
"""
WHOSE_PYTHON = """
import sys
from pathlib import Path
from histoserve.deploy.local.triton import LocalTriton
with LocalTriton(Path(sys.argv[1]), models=["where"], state=Path(sys.argv[2])):
    print(sys.prefix)
"""


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        ("/home/user-1/.local/state/a_b+c@d,e=f", True),
        ("/home/a b", False),
        ("/home/ä", False),
        ("/home/$HOME", False),
        ("/home/a;b", False),
        ("/home/a\n", False),
    ],
)
def test_a_path_is_plain_if_no_shell_can_misread_it(path: str, plain: bool) -> None:
    assert folders.is_plain(path) is plain


def test_paths_with_spaces_and_letters_beyond_ascii_serve(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ask
) -> None:
    odd = tmp_path / "dir with space" / "ä $(touch bad)"
    (odd / "tmp").mkdir(parents=True)
    shutil.copytree(repository / "where", odd / "models" / "where")
    monkeypatch.setenv("HOME", str(odd))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(odd / "tmp"))

    with LocalTriton(odd / "models") as triton:
        assert ask(triton, "where", SECONDS=NOW)["PID"].size == 1
        run_folder = triton._folder

    assert folders.is_plain(run_folder)
    assert not run_folder.exists()
    assert triton.log.is_relative_to(odd / ".local" / "state" / "histoserve")
    assert (odd / "models" / "where" / "config.pbtxt").exists()


def test_a_model_of_a_name_that_is_not_plain_is_refused(repository: Path, tmp_path: Path) -> None:
    shutil.copytree(repository / "where", tmp_path / "my model")

    with pytest.raises(LocalTritonError, match=r"my model: .*rename its folder") as refusal:
        LocalTriton(tmp_path, state=tmp_path / "state").start()

    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("state", ["file", "file/below"])
def test_a_state_folder_that_is_a_file_is_told_in_a_line(repository: Path, tmp_path: Path, state: str) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(LocalTritonError, match=r"file.*(Not a directory|File exists).*XDG_STATE_HOME") as refusal:
        LocalTriton(repository, models=["where"], state=tmp_path / state).start()

    assert "\n" not in str(refusal.value)


def last_words(full: Path, repository: Path, state: Path) -> str:
    """Of a start with a small file system mounted at `full`, for it alone."""
    command = ["bash", "-c", IN_A_SMALL_FILE_SYSTEM, "-", full, sys.executable, repository, state]
    tried = subprocess.run(["unshare", "-rm", *command], capture_output=True, text=True, timeout=60)
    if tried.returncode == 77 or "unshare" in tried.stderr:
        pytest.skip("needs the right to mount a file system of its own")
    return tried.stderr.splitlines()[-1]


def test_a_full_state_folder_is_told_in_a_line(repository: Path, tmp_path: Path) -> None:
    last = last_words(tmp_path, repository, tmp_path)

    assert f"LocalTritonError: cannot keep the server's files in {tmp_path}" in last
    assert "No space left on device" in last
    assert "XDG_STATE_HOME" in last


def test_full_shared_memory_is_told_in_a_line(repository: Path, tmp_path: Path) -> None:
    last = last_words(Path("/dev/shm"), repository, tmp_path)

    assert "LocalTritonError: tritonserver ended with code 1 before it was ready: /dev/shm is full: make room" in last


def test_an_environment_in_an_odd_place_serves(repository: Path, tmp_path: Path) -> None:
    odd = tmp_path / "venv ä"
    odd.symlink_to(sys.prefix)
    command = [odd / "bin" / "python", "-c", WHOSE_PYTHON, repository, tmp_path / "state"]

    served = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)

    assert served.stdout.strip() == str(odd)


def test_an_environment_that_path_cannot_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", "/opt/a:b")

    with pytest.raises(LocalTritonError, match="':' cannot be named in PATH"):
        TritonWheel.installed().environment({})
