"""One decision, written at once, without losing what anybody else has written meanwhile."""

from dataclasses import replace
from pathlib import Path

from histoserve.client.errors import LabelsError
from histoserve.client.labels.label import Decision, Label, picture_name
from histoserve.client.labels.read import TABLE, labels_in, read_labels, read_table, said
from histoserve.client.labels.record import Record, read_records
from histoserve.client.labels.write import locked, write_table
from histoserve.client.slide import printable


class DecidedMeanwhile(LabelsError):
    """Somebody else has decided on the tile: nothing was written."""

    def __init__(self, label: Label):
        super().__init__(
            f"Meanwhile {said(label.key)} was set to {label.decision.value or 'undecided'}, in another window or in "
            "the file; nothing was written. Decide again if you wish."
        )
        self.label = label


class Undecidable(LabelsError):
    """There is no such tile, or nothing is left to decide on it."""


class Review:
    """A training set under review; one thread at a time."""

    def __init__(self, folder: Path):
        """Raises LabelsError."""
        self._folder = folder
        self._records: dict[int, Record] = read_records(folder)
        self.labels()

    def labels(self) -> list[Label]:
        """As they stand in the file now; raises LabelsError."""
        table = read_table(self._folder)
        try:
            return labels_in(table, self._records, printable(self._folder / TABLE))
        except LabelsError:
            # A pair may have been added meanwhile; a record that was read never changes.
            self._records = read_records(self._folder)
            return labels_in(table, self._records, printable(self._folder / TABLE))

    def picture(self, key: tuple[int, int], stain: str) -> Path | None:
        """Of a tile's `he` or `ihc`; None if there is no such tile."""
        record = self._records.get(key[0])
        return record.folder / picture_name(key[1], stain) if record and key[1] in record.tiles else None

    def decide(self, key: tuple[int, int], was: Decision, decision: Decision) -> Label:
        """Whoever decides has seen it as it `was`.

        Raises Undecidable, DecidedMeanwhile, LabelsError if the file cannot be read as it stands now, OutputError.
        """
        with locked(self._folder):
            labels = {label.key: label for label in self.labels()}
            label = labels.get(key)
            if label is None:
                raise Undecidable(f"There is no {said(key)}.")
            if label.tile.reason:
                raise Undecidable(f"{said(key).capitalize()} was dropped beforehand: {label.tile.reason}")
            if decision is Decision.ACCEPT and label.tile.reading is None:
                raise Undecidable(f"{said(key).capitalize()} has no reading: it cannot be accepted.")
            if label.decision is not was:
                raise DecidedMeanwhile(label)
            labels[key] = replace(label, decision=decision)
            write_table(self._folder, labels.values())
            return labels[key]


def accept_rest(folder: Path) -> int:
    """Accepts all that is undecided and has a reading, unseen: for phantoms, whose truth is known. How many it was."""
    with locked(folder):
        labels = read_labels(folder)
        rest = {
            label.key for label in labels if label.decision is Decision.UNDECIDED and label.tile.reading is not None
        }
        write_table(folder, [replace(each, decision=Decision.ACCEPT) if each.key in rest else each for each in labels])
    return len(rest)
