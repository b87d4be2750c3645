"""A training set as it stands."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from histoserve.client.errors import LabelsError
from histoserve.client.labels.columns import NUMBERS, RECORDED
from histoserve.client.labels.label import Decision, Label
from histoserve.client.labels.record import PAIRS, Record, read_records
from histoserve.client.labels.table import Row, rows_in
from histoserve.client.slide import printable

TABLE = "labels.csv"


def read_labels(folder: Path) -> list[Label]:
    """All tiles, by pair and number whatever the order of the rows.

    Raises LabelsError for a folder that is none, and for a `labels.csv` that does not say of each recorded tile once,
    in agreement with the record, what was decided.
    """
    records = read_records(folder)
    return labels_in(read_table(folder), records, printable(folder / TABLE))


def is_training_set(folder: Path) -> bool:
    """Or the beginning of one."""
    return (folder / TABLE).is_file() or (folder / PAIRS).is_dir()


def read_table(folder: Path) -> bytes:
    """`labels.csv`; raises LabelsError."""
    try:
        return (folder / TABLE).read_bytes()
    except OSError as error:
        raise LabelsError(
            f"{printable(folder / TABLE)} cannot be read: {error.strerror}; give a folder that `histoserve label` "
            "wrote to (-o)."
        ) from error


def labels_in(table: bytes, records: Mapping[int, Record], name: str) -> list[Label]:
    """As `read_labels`, from the bytes of the file `name`."""
    labels = rows_of(table, records, name)
    _require_all(labels, records, name)
    return [labels[key] for key in sorted(labels)]


def rows_of(table: bytes, records: Mapping[int, Record], name: str) -> dict[tuple[int, int], Label]:
    """As `labels_in`, by key, though not all recorded tiles need be there."""
    labels: dict[tuple[int, int], Label] = {}
    for row in rows_in(table, name):
        label = _Line(row, name).label(records)
        if label.key in labels:
            raise LabelsError(
                f"{name}, line {row.line} holds {said(label.key)} once more; remove the line that is not meant."
            )
        labels[label.key] = label
    return labels


@dataclass(frozen=True)
class _Line:
    """A row that is held against the record."""

    row: Row
    name: str

    def label(self, records: Mapping[int, Record]) -> Label:
        key = self._whole("pair"), self._whole("tile")
        record = records.get(key[0])
        if record is None or key[1] not in record.tiles:
            raise self._wrong(f"holds {said(key)}, which is not in this folder; remove the line")
        tile, decision = record.tiles[key[1]], self._decision()
        for column in self.row.cells:
            if column in RECORDED and not self._agrees(column, RECORDED[column](record.pair, tile)):
                raise self._wrong(
                    f"says {column} {self.row.cells[column][:60]!r} of {said(key)}, the record says "
                    f"{RECORDED[column](record.pair, tile)!r}. Only `decision` may be changed: set the cell back, "
                    f"or remove the whole column {column} (it is filled in again)"
                )
        if decision is Decision.ACCEPT and (tile.reason or tile.reading is None):
            reason = f"was dropped beforehand: {tile.reason}" if tile.reason else "has no reading"
            raise self._wrong(f"accepts {said(key)}, which {reason.rstrip('.')}; write drop")
        return Label(record.pair, tile, decision, record.folder)

    def _agrees(self, column: str, expected: str) -> bool:
        if column in NUMBERS and expected:
            return self.row.number(column) == float(expected)
        return self.row.cells[column] == expected

    def _whole(self, column: str) -> int:
        number = self.row.number(column)
        if number is None or number != int(number):
            raise self._wrong(f"has {self.row.cells[column][:60]!r} as its {column}, which is no number; restore it")
        return int(number)

    def _decision(self) -> Decision:
        text = self.row.cells["decision"]
        try:
            # Spreadsheets begin a cell with a capital.
            return Decision(text.lower())
        except ValueError:
            raise self._wrong(
                f"has the decision {text[:60]!r}; write accept or drop, or leave it empty for none"
            ) from None

    def _wrong(self, what: str) -> LabelsError:
        return LabelsError(f"{self.name}, line {self.row.line} {what}.")


def _require_all(known: Iterable[tuple[int, int]], records: Mapping[int, Record], name: str) -> None:
    """A file that was cut off looks like one of which rows were removed."""
    recorded = {(pair, tile) for pair, record in records.items() for tile in record.tiles}
    missing = sorted(recorded - set(known))
    if missing:
        raise LabelsError(
            f"{name} lacks {len(missing)} of {len(recorded)} tiles, first {said(missing[0])}. Rows are not removed but "
            "dropped (decision drop): restore them, or run `histoserve label` on the pair again, which adds them."
        )


def said(key: tuple[int, int]) -> str:
    """In words."""
    return f"tile {key[1]} of pair {key[0]}"
