"""The journal gives back what was written, or less; never anything else."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from histoserve.client.journal import bound_of, open_journal, passing_journal

BOUND = {"the slide": "1"}
OUTPUTS: list[dict[str, Any]] = [
    {"BOX": np.arange(4 * i, dtype=np.float32).reshape(i, 4), "TYPE": np.full(i, i, np.uint8), "KEEP": np.ones(0, bool)}
    for i in (3, 0, 1, 200)
]


def written(path: Path) -> bytes:
    """A journal of all OUTPUTS."""
    journal = open_journal(path, BOUND)
    for i, outputs in enumerate(OUTPUTS):
        journal.append([i, 10 + i], -7, outputs)
    journal.close()
    return path.read_bytes()


def same(answer: Any, i: int) -> bool:
    """Whether it is the answer number `i`, to the last bit."""
    arrays = {name: (array.dtype, array.shape, array.tobytes()) for name, array in answer.items()}
    wanted = {name: (array.dtype, array.shape, array.tobytes()) for name, array in OUTPUTS[i].items()}
    return (answer.tiles, answer.network, arrays) == ([i, 10 + i], -7, wanted)


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    written(tmp_path / "j")
    answers = open_journal(tmp_path / "j", BOUND).answers

    assert [same(answer, i) for i, answer in enumerate(answers)] == [True] * 4
    assert bound_of(tmp_path / "j") == BOUND


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    share=st.floats(0, 1),
    change=st.one_of(
        st.integers(0, 7).map(lambda bit: lambda rest: bytes([rest[0] ^ 1 << bit]) + rest[1:]),
        st.binary(max_size=40).map(lambda new: lambda rest: new + rest[len(new) :]),
        st.sampled_from([lambda rest: b"", lambda rest: bytes(len(rest)), lambda rest: rest + bytes(4096)]),
        st.integers(1, 200).map(lambda cut: lambda rest: rest[cut:] + rest[:cut]),
    ),
)
def test_whatever_happens_to_the_file_a_beginning_is_read_and_gone_on_with(
    tmp_path: Path, share: float, change: Any
) -> None:
    path = tmp_path / "j"
    path.unlink(missing_ok=True)
    whole = written(path)
    at = int(share * (len(whole) - 1))
    path.write_bytes(whole[:at] + change(whole[at:]))

    journal = open_journal(path, BOUND)
    count = len(journal.answers)
    assert all(same(answer, i) for i, answer in enumerate(journal.answers))
    for i in range(count, 4):
        journal.append([i, 10 + i], -7, OUTPUTS[i])
    journal.close()
    assert path.read_bytes() == whole


def test_what_is_bound_to_something_else_is_not_read(tmp_path: Path) -> None:
    written(tmp_path / "j")
    journal = open_journal(tmp_path / "j", {"the slide": "2"})

    assert (journal.answers, journal.empty) == ([], True)


def test_a_full_disk_keeps_nothing_of_the_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = open_journal(tmp_path / "j", BOUND)
    journal.append([0, 10], -7, OUTPUTS[0])
    write, calls = os.pwrite, iter([lambda *to: write(to[0], to[1][:7], to[2])])
    monkeypatch.setattr(os, "pwrite", lambda *to: next(calls, _full)(*to))
    with pytest.raises(OSError, match="No space"):
        journal.append([1, 11], -7, OUTPUTS[3])
    monkeypatch.undo()
    journal.append([1, 11], -7, OUTPUTS[1])

    assert [same(answer, i) for i, answer in enumerate(open_journal(tmp_path / "j", BOUND).answers)] == [True] * 2


def _full(*_: Any) -> int:
    raise OSError(28, "No space left on device")


def test_a_record_that_was_not_accepted_can_be_dropped(tmp_path: Path) -> None:
    journal = passing_journal()
    assert journal.empty
    journal.append([0, 10], -7, OUTPUTS[3])
    journal.drop_last()
    assert journal.empty
    assert same(journal.append([0, 10], -7, OUTPUTS[0]), 0)


def test_an_answer_outlives_those_that_follow_and_takes_no_map_each(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "j", BOUND)
    first = journal.append([0, 10], -7, OUTPUTS[0])
    views = [journal.append([3, 13], -7, OUTPUTS[3])["BOX"] for _ in range(100)]

    assert same(first, 0)
    assert all(view.sum() == OUTPUTS[3]["BOX"].sum() for view in views)
    assert Path("/proc/self/maps").read_text().count(str(tmp_path / "j")) == 1


def test_what_was_taken_back_is_not_read_again(tmp_path: Path) -> None:
    written(tmp_path / "j")
    journal = open_journal(tmp_path / "j", BOUND)
    journal.take_back([1, 3])
    journal.append([3, 13], -7, OUTPUTS[3])
    journal.take_back([0])
    assert [answer.tiles[0] for answer in journal.answers] == [2, 3]
    journal.close()

    again = open_journal(tmp_path / "j", BOUND)
    assert [same(answer, i) for answer, i in zip(again.answers, (2, 3), strict=True)] == [True, True]
    again.close()


def test_a_taking_back_that_was_cut_off_takes_nothing_back(tmp_path: Path) -> None:
    before = len(written(tmp_path / "j"))
    journal = open_journal(tmp_path / "j", BOUND)
    journal.take_back([0, 1, 2, 3])
    assert journal.answers == []
    journal.close()
    os.truncate(tmp_path / "j", before + 30)

    assert [same(answer, i) for i, answer in enumerate(open_journal(tmp_path / "j", BOUND).answers)] == [True] * 4
