"""The folder of a training set: pairs that come in, decisions, and what trains."""

import json
import os
import threading
from pathlib import Path

import pytest
from made_up_labels import add_pair, decide_all

from histoserve.client.errors import LabelsError, OutputError
from histoserve.client.labels.decide import DecidedMeanwhile, Review, Undecidable
from histoserve.client.labels.label import Decision
from histoserve.client.labels.read import TABLE, read_labels
from histoserve.client.labels.record import read_records
from histoserve.client.labels.training import accepted, split
from histoserve.client.labels.write import finish_pair

ACCEPT, DROP, UNDECIDED = Decision.ACCEPT, Decision.DROP, Decision.UNDECIDED


def test_pairs_append_and_decisions_stay(labelled: Path) -> None:
    decide_all(labelled, {(1, 2): ACCEPT})

    add_pair(labelled, 2, [0.5])

    assert [(label.key, label.decision) for label in read_labels(labelled)] == [
        ((1, 1), UNDECIDED), ((1, 2), ACCEPT), ((1, 3), UNDECIDED), ((1, 4), UNDECIDED), ((2, 1), UNDECIDED)
    ]  # fmt: skip


def test_rows_that_were_removed_come_back_undecided(labelled: Path) -> None:
    decide_all(labelled, {(1, 1): ACCEPT, (1, 2): ACCEPT})
    lines = (labelled / TABLE).read_text().splitlines()
    (labelled / TABLE).write_text("\n".join(lines[:2]))

    finish_pair(labelled, read_records(labelled)[1].pair)

    assert [label.decision for label in read_labels(labelled)] == [ACCEPT, UNDECIDED, UNDECIDED, UNDECIDED]


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(LabelsError, match=r"labels.csv cannot be read: .*give a folder that `histoserve label` wrote"):
        read_labels(tmp_path)


@pytest.mark.parametrize(
    ("name", "edit", "told"),
    [
        ("pair.json", lambda t: t[:20], "pair.json is damaged"),
        ("pair.json", lambda t: t.replace('"number": 1', '"number": 2'), "is of pair 2: folders of pairs were renamed"),
        ("pair.json", lambda t: t.replace('"he"', '"she"'), "pair.json is damaged"),
        ("tiles.jsonl", lambda t: t[:-30], "tiles.jsonl is damaged"),
        ("tiles.jsonl", lambda t: t + t, "a tile stands in it twice"),
        ("tiles.jsonl", lambda t: t.replace("0.25", "25"), "a reading of 25"),
        ("tiles.jsonl", lambda t: t.replace("0.25", '"a"'), "tiles.jsonl is damaged"),
        ("tiles.jsonl", lambda t: t.replace("1024, 0", "1024, NaN"), "a region that is none"),
        ("tiles.jsonl", lambda t: t.replace('positive": 3', 'positive": -3'), "counts that are none"),
        ("tiles.jsonl", lambda t: t.replace('reason"', 'season"'), "tiles.jsonl is damaged"),
        ("tiles.jsonl", lambda t: "7\n" + t, "tiles.jsonl is damaged"),
        ("0003_ihc.png", lambda t: None, "0003_ihc.png is missing; copy the whole folder"),
    ],
)  # fmt: skip
def test_a_damaged_record_is_told(labelled: Path, name: str, edit: object, told: str) -> None:
    path = labelled / "pairs" / "0001" / name
    changed = edit(None if name.endswith("png") else path.read_text())  # type: ignore[operator]
    path.unlink() if changed is None else path.write_text(changed)

    with pytest.raises(LabelsError, match=told):
        read_labels(labelled)


def test_a_pair_that_is_not_whole_has_no_rows(labelled: Path) -> None:
    add_pair(labelled, 2, [0.5])
    (labelled / "pairs" / "0002" / "tiles.jsonl").rename(labelled / "pairs" / "0002" / "journal.jsonl")

    with pytest.raises(LabelsError, match="line 6 holds tile 1 of pair 2, which is not in this folder"):
        read_labels(labelled)


def test_a_decision_is_written_at_once(labelled: Path) -> None:
    Review(labelled).decide((1, 4), UNDECIDED, ACCEPT)

    assert read_labels(labelled)[3].decision is ACCEPT
    assert sorted(each.name for each in labelled.iterdir()) == [".lock", TABLE, "pairs"]


def test_of_two_who_decide_on_a_tile_the_second_is_told(labelled: Path) -> None:
    first, second = Review(labelled), Review(labelled)
    first.decide((1, 1), UNDECIDED, ACCEPT)

    with pytest.raises(DecidedMeanwhile, match=r"tile 1 of pair 1 was set to accept, .* nothing was written") as told:
        second.decide((1, 1), UNDECIDED, DROP)

    assert told.value.label.decision is ACCEPT
    assert read_labels(labelled)[0].decision is ACCEPT
    assert second.decide((1, 1), ACCEPT, DROP).decision is DROP


def test_what_was_written_into_the_file_meanwhile_stays(labelled: Path) -> None:
    review = Review(labelled)
    decide_all(labelled, {(1, 2): DROP})
    add_pair(labelled, 2, [0.5])

    review.decide((2, 1), UNDECIDED, ACCEPT)

    assert [label.decision for label in read_labels(labelled)] == [UNDECIDED, DROP, UNDECIDED, UNDECIDED, ACCEPT]


def test_a_file_that_cannot_be_read_is_never_written_over(labelled: Path) -> None:
    review = Review(labelled)
    damaged = (labelled / TABLE).read_text().replace("3.2,,", "3.2,maybe,", 1)
    (labelled / TABLE).write_text(damaged)

    with pytest.raises(LabelsError, match="has the decision 'maybe'"):
        review.decide((1, 4), UNDECIDED, ACCEPT)

    assert (labelled / TABLE).read_text() == damaged


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ((1, 2), "Tile 2 of pair 1 was dropped beforehand: The pictures are 40.0 µm off"),
        ((1, 9), "no tile 9 of pair 1"),
        ((0, 1), "no tile 1 of pair 0"),
    ],
)
def test_nothing_else_can_be_decided_on(tmp_path: Path, key: tuple[int, int], told: str) -> None:
    add_pair(tmp_path, off=[2])

    with pytest.raises(Undecidable, match=told):
        Review(tmp_path).decide(key, DROP, ACCEPT)


def test_a_tile_without_a_reading_is_not_accepted(labelled: Path) -> None:
    with pytest.raises(Undecidable, match="Tile 3 of pair 1 has no reading"):
        Review(labelled).decide((1, 3), UNDECIDED, ACCEPT)


def test_decisions_from_many_sides_are_all_there(labelled: Path) -> None:
    add_pair(labelled, 2, [0.5] * 8)

    def decide(tiles: range) -> None:
        review = Review(labelled)
        for tile in tiles:
            review.decide((2, tile), UNDECIDED, ACCEPT)

    threads = [threading.Thread(target=decide, args=(range(first, 9, 4),)) for first in (1, 2, 3, 4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert [label.decision for label in read_labels(labelled)[4:]] == [ACCEPT] * 8


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to_is_told(labelled: Path) -> None:
    labelled.chmod(0o555)

    with pytest.raises(OutputError, match="cannot be written"):
        Review(labelled).decide((1, 1), UNDECIDED, ACCEPT)


def test_only_accepted_tiles_train(labelled: Path) -> None:
    labels = decide_all(labelled, {(1, 1): ACCEPT, (1, 2): ACCEPT, (1, 4): DROP})

    assert [label.key for label in accepted(labels, "ki67")] == [(1, 1), (1, 2)]


@pytest.mark.parametrize(
    ("marker", "readings", "decision", "told"),
    [
        ("er", [0.1, 0.9], ACCEPT, "holds no tile of 'er'; it holds ki67"),
        ("ki67", [0.1, 0.9], DROP, "None of the 2 tiles of ki67 is accepted"),
        ("ki67", [0.0, 0.0], ACCEPT, "All 2 accepted tiles of ki67 read 0.00 to 0.00: of one class nothing can"),
        ("ki67", [0.5, 0.53], ACCEPT, "read 0.50 to 0.53: of one class"),
    ],
)
def test_a_set_that_teaches_nothing_is_refused(
    tmp_path: Path, marker: str, readings: list[float], decision: Decision, told: str
) -> None:
    add_pair(tmp_path, readings=readings)

    with pytest.raises(LabelsError, match=told):
        accepted(decide_all(tmp_path, decision), marker)


SLIDES = [("a", "a1"), ("b", "b1"), ("a", "a2"), ("c", "c1"), ("d", "b1"), ("e", "e1")]
GROUPS = [{1, 3}, {2, 5}, {4}, {6}]
"""Pairs 1 and 3 are of one H&E slide, 2 and 5 of one IHC slide."""


def test_a_slide_never_stands_on_both_sides(tmp_path: Path) -> None:
    for number, slides in enumerate(SLIDES, 1):
        add_pair(tmp_path, number, [0.5] * (1 + number % 2), slides=slides)
    labels = read_labels(tmp_path)

    for seed in range(20):
        training, apart = split(labels, 0.3, seed)

        assert sorted([*training, *apart], key=lambda label: label.key) == labels
        sides = [{label.pair.number for label in side} for side in (training, apart)]
        assert all(group <= side or not group & side for group in GROUPS for side in sides)
        assert all(sides)
        assert split(labels[::-1], 0.3, seed) == (training, apart)


def test_the_part_kept_apart_is_about_what_was_asked_for(tmp_path: Path) -> None:
    for number in range(1, 6):
        add_pair(tmp_path, number, [0.5] * 2)

    for part, tiles in ((0.2, 2), (0.5, 4), (0.01, 2), (0.99, 8)):
        assert len(split(read_labels(tmp_path), part, 1)[1]) == tiles


def test_slides_that_all_hang_together_cannot_be_split(tmp_path: Path) -> None:
    add_pair(tmp_path, 1, slides=("a", "x"))
    add_pair(tmp_path, 2, slides=("b", "x"))

    with pytest.raises(LabelsError, match="All tiles are of one slide, or of slides that share pairs"):
        split(read_labels(tmp_path), 0.2, 0)
    with pytest.raises(ValueError, match="a part of 1 cannot be kept apart"):
        split(read_labels(tmp_path), 1, 0)


def test_the_record_says_what_the_pair_is(labelled: Path) -> None:
    assert json.loads((labelled / "pairs/0001/pair.json").read_text()) == {
        "number": 1, "marker": "ki67", "tile_px": 32, "mpp": 0.3,
        "he": {"name": "he-1.svs", "content": "content of he-1.svs"},
        "ihc": {"name": "ihc-1.svs", "content": "content of ihc-1.svs"},
    }  # fmt: skip
