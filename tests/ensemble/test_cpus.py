import os
from pathlib import Path

import pytest

from histoserve.ensemble.cpus import cpus


@pytest.mark.parametrize(
    ("limits", "allowed"),
    [
        ({}, 8),
        ({"": "150000 100000"}, 2),
        ({"pod": "100000 100000", "pod/app": "max 100000"}, 1),
        ({"pod/app": "1 9"}, 1),
    ],
)
def test_a_containers_limit_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limits: dict[str, str], allowed: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    (tmp_path / "pod" / "app").mkdir(parents=True)
    (tmp_path / "own").write_text("1:cpu:/elsewhere\n0::/pod/app\n")
    for folder, text in limits.items():
        (tmp_path / folder / "cpu.max").write_text(text + "\n")
    assert cpus(tmp_path, tmp_path / "own") == allowed


def test_without_cgroups_the_affinity_counts(tmp_path: Path) -> None:
    assert cpus(tmp_path, tmp_path / "missing") == len(os.sched_getaffinity(0))
