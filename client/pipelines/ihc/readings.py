"""The readings of a call's slides, as a file and as a table."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

from histoserve.client.errors import SlideError
from histoserve.client.pipelines.ihc.stain import OtherStain, check_slide
from histoserve.client.pipelines.ihc.tile_reader import reading_of
from histoserve.client.results.folder import LAST
from histoserve.client.results.summary import GOOD, Row, replace_text
from histoserve.client.slide import open_slide
from histoserve.client.tile_reading import Reading

READINGS = "readings.csv"
COLUMNS = ("slide", "reading", "positive", "negative", "region_mm2", "remark")

By = Literal["ratio", "count"]


@dataclass(frozen=True)
class Read:
    """What became of one slide."""

    slide: str
    reading: Reading | None
    """None where the slide could not be analysed."""
    remark: str = ""

    def row(self, by: By) -> list[str]:
        """As COLUMNS; the reading is empty where there is none."""
        if self.reading is None:
            return [self.slide, "", "", "", "", self.remark]
        each = self.reading
        return [
            self.slide, value(each, by), str(each.positive), str(each.negative), f"{each.region_mm2:.4f}", self.remark
        ]  # fmt: skip


def value(reading: Reading, by: By) -> str:
    """The ratio, or the count of positive cells; "" for a slide without tumour."""
    if not reading.positive + reading.negative:
        return ""
    return f"{reading.ratio:.4f}" if by == "ratio" else str(reading.positive)


def readings_of(rows: Sequence[Row], folders: Sequence[Path]) -> list[Read]:
    """In the order of the rows, from the results in their folders: what a row names is for people."""
    return [_read(row, folder) for row, folder in zip(rows, folders, strict=True)]


def _read(row: Row, folder: Path) -> Read:
    if row.state not in GOOD:
        return Read(row.slide, None, row.remark or row.state)
    reading = reading_of(json.loads((folder / LAST).read_text())["result"])
    remarks = [] if reading.positive + reading.negative else ["no tumour found, so no reading"]
    return Read(row.slide, reading, " ".join([*remarks, *filter(None, [row.remark])]))


def of_another_stain(slides: Sequence[Path]) -> dict[Path, str]:
    """Those that are H&E, and why; what cannot be opened or read is told when it is analysed."""
    refused = {}
    for path in slides:
        try:
            with open_slide(path) as slide:
                check_slide(slide)
        except OtherStain as error:
            refused[path] = str(error)
        except SlideError:
            continue
    return refused


def write_readings(out: Path, readings: Sequence[Read], by: By) -> None:
    """OUT/readings.csv, as a whole. Raises OutputError."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(each.row(by) for each in readings)
    replace_text(out / READINGS, text.getvalue(), "readings")


def print_readings(readings: Sequence[Read], by: By) -> None:
    """On the standard output."""
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = 10_000
    table = Table(*(each.replace("_", " ") for each in COLUMNS), box=None, pad_edge=False)
    for each in readings:
        table.add_row(*each.row(by))
    console.print(table)
