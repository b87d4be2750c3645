"""labels.csv, and what people and spreadsheets make of it."""

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_up_labels import add_pair, decide_all

from histoserve.client.errors import LabelsError
from histoserve.client.labels.label import Decision
from histoserve.client.labels.read import TABLE, read_labels

HEADER = (
    "pair,tile,marker,he,he_x,he_y,he_width,he_height,ihc,ihc_x,ihc_y,ihc_width,ihc_height,"
    "positive,negative,reading,residual_um,decision,reason"
)
TWO = {(1, 1): Decision.ACCEPT, (1, 2): Decision.DROP}
DECIDED = [Decision.ACCEPT, Decision.DROP, Decision.UNDECIDED, Decision.UNDECIDED]


def test_the_file_holds_a_row_a_tile(labelled: Path) -> None:
    lines = (labelled / TABLE).read_text().splitlines()

    assert lines == [
        HEADER,
        "1,1,ki67,he-1.svs,1024,0,1024,1024,ihc-1.svs,500,1100,1450,1450,3,9,0.2500,3.2,,",
        "1,2,ki67,he-1.svs,2048,0,1024,1024,ihc-1.svs,500,2200,1450,1450,9,3,0.7500,3.2,,",
        "1,3,ki67,he-1.svs,3072,0,1024,1024,ihc-1.svs,500,3300,1450,1450,0,0,,3.2,,",
        "1,4,ki67,he-1.svs,4096,0,1024,1024,ihc-1.svs,500,4400,1450,1450,4,8,0.3333,3.2,,",
    ]


def test_a_tile_dropped_beforehand_says_why(tmp_path: Path) -> None:
    add_pair(tmp_path, off=[2])

    label = read_labels(tmp_path)[1]

    assert (label.decision, label.tile.reason) == (Decision.DROP, "The pictures are 40.0 µm off.")


def edited(path: Path, edit: Callable[[str], str | bytes]) -> None:
    content = edit(path.read_text())
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def with_semicolons(text: str) -> str:
    return re.sub(r"(?<=\d)\.(?=\d)", ",", text.replace(",", ";"))


def shuffled(text: str) -> str:
    """Both rows and columns the other way round."""
    return rewritten(text, lambda rows: [row[::-1] for row in [rows[0], *rows[:0:-1]]])


def rewritten(text: str, change: Callable[[list[list[str]]], list[list[str]]], quoting: Any = csv.QUOTE_MINIMAL) -> str:
    whole = io.StringIO()
    csv.writer(whole, quoting=quoting).writerows(change(list(csv.reader(io.StringIO(text)))))
    return whole.getvalue()


def only(columns: str) -> Callable[[str], str]:
    def cut(text: str) -> str:
        rows = csv.DictReader(io.StringIO(text))
        return "\n".join([columns, *(",".join(row[each] for each in columns.split(",")) for row in rows)])

    return cut


SPREADSHEETS: dict[str, Callable[[str], str | bytes]] = {
    "nothing": lambda text: text,
    "a byte order mark and Windows' lines": lambda text: "\ufeff" + text.replace("\n", "\r\n"),
    "semicolons and decimal commas": with_semicolons,
    "tabs in UTF-16": lambda text: text.replace(",", "\t").encode("utf-16"),
    "a line that names the separator": lambda text: "sep=;\n" + with_semicolons(text),
    "quotes everywhere": lambda text: rewritten(text, lambda rows: rows, csv.QUOTE_ALL),
    "rows and columns in another order": shuffled,
    "shorter numbers": lambda text: (
        text.replace("0.2500", "0.25").replace("0.7500", "0.75").replace(",500,", ",5E+02,")
    ),
    "empty rows and columns": lambda text: text.replace("\n", ",,\n") + ",,\n\n" + "," * 30 + "\n",
    "capitals and spaces": lambda text: text.replace("accept", " Accept").replace("decision", "Decision "),
    "columns left out": only("decision,tile,pair"),
}


@pytest.mark.parametrize("edit", SPREADSHEETS.values(), ids=SPREADSHEETS)
def test_what_a_spreadsheet_leaves_is_read(labelled: Path, edit: Callable[[str], str | bytes]) -> None:
    expected = decide_all(labelled, TWO)

    edited(labelled / TABLE, edit)

    assert [label.decision for label in expected] == DECIDED
    assert read_labels(labelled) == expected


WRONG: dict[str, tuple[Callable[[str], str | bytes], str]] = {
    "a decision misspelt": (lambda t: t.replace("accept", "acept"), r"line 2 has the decision 'acept'; write accept"),
    "an unknown tile": (lambda t: t + "1,9" + "," * 17, r"line 6 holds tile 9 of pair 1, which is not in this folder"),
    "an unknown pair": (lambda t: t.replace("\n1,4", "\n7,4"), r"line 5 holds tile 4 of pair 7, which is not in"),
    "a tile twice": (lambda t: t + t.splitlines()[1], r"line 6 holds tile 1 of pair 1 once more"),
    "a row less": (lambda t: t.replace(t.splitlines()[3] + "\n", ""), r"lacks 1 of 4 tiles, first tile 3 of pair 1"),
    "cut off": (lambda t: t[: t.index("0.7500")], r"line 3 has 16 cells; the first line names 19 columns"),
    "only the header": (lambda t: HEADER, r"lacks 4 of 4 tiles"),
    "empty": (lambda t: "", r"begins with '' and not with the names of its columns, of which pair, tile, decision"),
    "no header": (lambda t: t.replace(HEADER + "\n", ""), r"begins with '1,1,ki67"),
    "no decision": (only("pair,tile,reading"), r"of which pair, tile, decision must be there"),
    "a column twice": (lambda t: t.replace("marker", "reason", 1), r"the column 'reason' twice"),
    "a column of somebody's": (lambda t: t.replace("marker", "remark", 1), r"has a column 'remark', which is none of"),
    "a cell too many": (lambda t: t.replace("3.2,,", "3.2,,,see me"), r"line 4 has 20 cells, with 'see me' under"),
    "a number changed": (lambda t: t.replace("3,9,0.25", "3,8,0.25"), r"line 2 says negative '8' .*record says '9'"),
    "a number rounded": (lambda t: t.replace("0.3333", "0.33"), r"line 5 says reading '0.33' .*the whole column"),
    "a number as a date": (lambda t: t.replace("3.2", "03. Feb"), r"line 2 says residual_um '03. Feb'"),
    "a number too far": (lambda t: t.replace("4096", "4.1E+03"), r"line 5 says he_x '4.1E\+03' .* says '4096'"),
    "a percentage": (lambda t: t.replace("0.2500", "25%"), r"line 2 says reading '25%'"),
    "a reading made up": (lambda t: t.replace("0,0,,", "0,0,0,"), r"line 4 says reading '0' .* the record says ''"),
    "not a number": (lambda t: t.replace("\n1,2", "\n1,nan"), r"line 3 has 'nan' as its tile, which is no number"),
    "half a tile": (lambda t: t.replace("\n1,2", "\n1,2.5"), r"line 3 has '2.5' as its tile"),
    "another slide": (lambda t: t.replace("he-1", "he-2", 1), r"line 2 says he 'he-2.svs' .* says 'he-1.svs'"),
    "no reading accepted": (lambda t: t.replace("0,0,,3.2,", "0,0,,3.2,accept"), r"line 4 accepts .* has no reading"),
    "an open quote": (lambda t: t.replace("ihc-1", '"ihc-1'), r"is no row of a CSV file"),
    "Latin letters": (lambda t: t.replace("he-1", "hé-1").encode("latin-1"), r"is not UTF-8 .*save it as “CSV UTF-8”"),
    "a workbook": (lambda t: b"PK\x03\x04\0\0\0", r"is no text"),
}


@pytest.mark.parametrize(("edit", "told"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_with_its_line(labelled: Path, edit: Callable[[str], str | bytes], told: str) -> None:
    decide_all(labelled, TWO)

    edited(labelled / TABLE, edit)

    with pytest.raises(LabelsError, match=told):
        read_labels(labelled)


def test_a_tile_dropped_beforehand_is_not_accepted_by_hand(tmp_path: Path) -> None:
    add_pair(tmp_path, off=[2])
    edited(tmp_path / TABLE, lambda text: text.replace(",drop,", ",accept,"))

    with pytest.raises(
        LabelsError, match="line 3 accepts tile 2 of pair 1, which was dropped beforehand: The pictures"
    ):
        read_labels(tmp_path)


def test_a_slide_called_like_a_formula_is_none(tmp_path: Path) -> None:
    add_pair(tmp_path, slides=('=HYPERLINK("x")\n.svs', "ihc.svs"))

    assert "'=HYPERLINK(" in (tmp_path / TABLE).read_text()
    assert read_labels(tmp_path)[0].pair.he.name == '=HYPERLINK("x")\n.svs'
