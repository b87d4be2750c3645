"""Which slides of a list are whose."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoserve.client.errors import WrongUsage
from histoserve.client.shard import Shard, shard_from_text, slides_of_list


def test_shares_are_taken_in_turn() -> None:
    slides = [Path(name) for name in "abcde"]

    assert [[str(each) for each in Shard(index, 2).of(slides)] for index in (0, 1)] == [["a", "c", "e"], ["b", "d"]]


@given(slides=st.integers(0, 200), count=st.integers(1, 250))
def test_every_slide_is_in_one_share_and_none_is_much_larger(slides: int, count: int) -> None:
    named = [Path(str(number)) for number in range(slides)]
    shares = [shard_from_text(f"{index}/{count}").of(named) for index in range(count)]

    assert sorted(map(str, named)) == sorted(str(each) for share in shares for each in share)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("text", ["", "1", "2/2", "-1/2", "1/0", "a/b", "1/2/3", "1.0/2", "١/٢", "1/2\n"])
def test_a_share_that_is_none_is_told(text: str) -> None:
    with pytest.raises(WrongUsage, match="give I/N"):
        shard_from_text(text)


def test_a_list_names_slides_beside_it_or_with_a_full_path(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("# ours\na b.svs\n\n  /far/c.svs \nfolder\n")

    assert slides_of_list(tmp_path / "list") == [tmp_path / "a b.svs", Path("/far/c.svs"), tmp_path / "folder"]


@pytest.mark.parametrize("content", [None, b"", b"# none\n", b"\xff\xfe"])
def test_a_list_without_slides_is_told(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "list").write_bytes(content)
    with pytest.raises(WrongUsage, match=r"--list .*list "):
        slides_of_list(tmp_path / "list")
