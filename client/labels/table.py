"""`labels.csv` as text: what we write, and what spreadsheets make of it.

Read are UTF-8 with or without a byte order mark and UTF-16 with one; commas, semicolons or tabs; any order of rows and
columns; columns of the record left out; empty rows and columns; numbers with a decimal comma where commas do not
separate.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from histoserve.client.errors import LabelsError
from histoserve.client.labels.columns import COLUMNS, REQUIRED, cells
from histoserve.client.labels.label import Label

SEPARATORS = (",", ";", "\t")

NUMBER = re.compile(r"[-+]?[0-9]{1,15}(\.[0-9]{0,15})?([eE][-+]?[0-9]{1,2})?")


@dataclass(frozen=True)
class Row:
    """One that holds something."""

    line: int
    """In the file, from 1."""
    cells: dict[str, str]
    """By column; without spaces around."""
    decimal: str
    """What separates decimals beside a point."""

    def number(self, column: str) -> float | None:
        """None for what is none."""
        text = self.cells[column].replace(self.decimal, ".", 1)
        return float(text) if NUMBER.fullmatch(text) else None


def text_of(labels: Iterable[Label]) -> str:
    """The whole file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(cells(label) for label in labels)
    return text.getvalue()


def rows_in(content: bytes, name: str) -> Iterator[Row]:
    """Of the file `name`, for messages; raises LabelsError with the line."""
    lines = _lines(_decoded(content, name))
    separator = _separator(lines, name)
    reader = csv.reader(lines, delimiter=separator, strict=True)
    columns: list[str] | None = None
    try:
        for found in reader:
            each = [cell.strip() for cell in found]
            if not any(each):
                continue
            if columns is None:
                columns = _columns(each, name)
                continue
            yield Row(
                reader.line_num, _by_column(each, columns, reader.line_num, name), "," if separator != "," else "."
            )
    except csv.Error as error:
        raise LabelsError(
            f"{name}, line {reader.line_num} is no row of a CSV file ({error}); mend or restore it."
        ) from error


def _decoded(content: bytes, name: str) -> str:
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise LabelsError(f"{name} is not UTF-8 ({error.reason}); save it as “CSV UTF-8”.") from error
    if "\0" in text:
        raise LabelsError(f"{name} is no text; restore it from a copy, or save it as “CSV UTF-8”.")
    return text


def _lines(text: str) -> list[str]:
    lines = text.splitlines(keepends=True)
    # Excel's own first line, which says the separator; its place is kept, so that lines are counted rightly.
    if lines and re.fullmatch(r"sep=.\s*", lines[0], re.IGNORECASE):
        lines[0] = "\n"
    return lines


def _separator(lines: list[str], name: str) -> str:
    header = next((line for line in lines if line.strip()), "")
    for each in SEPARATORS:
        if set(REQUIRED) <= set(_names(header.split(each))):
            return each
    raise LabelsError(
        f"{name} begins with {header.strip()[:60]!r} and not with the names of its columns, of which "
        f"{', '.join(REQUIRED)} must be there, with commas, semicolons or tabs between; write them into the first line."
    )


def _names(header: Iterable[str]) -> list[str]:
    return [each.strip().strip('"').strip().lower() for each in header]


def _columns(header: list[str], name: str) -> list[str]:
    columns = _names(header)
    named = [each for each in columns if each]
    unknown = [each for each in named if each not in COLUMNS]
    if unknown:
        raise LabelsError(f"{name} has a column {unknown[0]!r}, which is none of {', '.join(COLUMNS)}; remove it.")
    twice = [each for each in named if named.count(each) > 1]
    if twice:
        raise LabelsError(f"{name} has the column {twice[0]!r} twice; remove one of them.")
    return columns


def _by_column(found: list[str], columns: list[str], line: int, name: str) -> dict[str, str]:
    beyond = [cell for cell, column in zip(found, [*columns, *[""] * len(found)], strict=False) if cell and not column]
    if len(found) < len(columns) or beyond:
        raise LabelsError(
            f"{name}, line {line} has {len(found)} cells{f', with {beyond[0][:40]!r} under no name' if beyond else ''};"
            f" the first line names {len(columns)} columns. Mend the line, or restore the file."
        )
    return {column: cell for column, cell in zip(columns, found, strict=False) if column}
