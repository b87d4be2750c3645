"""Training sets without slides."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from histoserve.client.labels.label import NO_TUMOUR, Decision, Label, Pair, SlideOf, Tile, picture_name
from histoserve.client.labels.read import read_labels
from histoserve.client.labels.write import begin_pair, finish_pair, record_tile, write_table

TILE_PX = 32
READINGS = (0.25, 0.75, None, 1 / 3)


def add_pair(
    folder: Path,
    number: int = 1,
    readings: Sequence[float | None] = READINGS,
    marker: str = "ki67",
    slides: tuple[str, str] | None = None,
    tile_px: int = TILE_PX,
    off: Sequence[int] = (),
    without_tumour: Sequence[int] = (),
) -> Pair:
    """One whole pair, a tile a reading; `slides`: names of both; `off`, `without_tumour`: tiles dropped beforehand."""
    names = slides or (f"he-{number}.svs", f"ihc-{number}.svs")
    he, ihc = (SlideOf(each, f"content of {each}") for each in names)
    pair = Pair(number, marker, he, ihc, tile_px, 0.3)
    place = begin_pair(folder, pair)
    for i, reading in enumerate(readings, 1):
        for stain, colour in (("he", (200, 120, 180)), ("ihc", (150, 110, 60))):
            picture = np.full((tile_px, tile_px, 3), colour, np.uint8)
            picture[i % tile_px] = 0
            (place / picture_name(i, stain)).write_bytes(cv2.imencode(".png", picture[..., ::-1])[1].tobytes())
        reason = NO_TUMOUR if i in without_tumour else "The pictures are 40.0 µm off." if i in off else ""
        record_tile(place, tile(i, reading, reason))
    finish_pair(folder, pair)
    return pair


def tile(number: int, reading: float | None, reason: str = "") -> Tile:
    """Of twelve cells; the reading to four places."""
    positive = 0 if reading is None else round(12 * reading)
    counts = (0, 0) if reading is None else (positive, 12 - positive)
    ours = None if reading is None else round(reading, 4)
    regions = (1024 * number, 0, 1024, 1024), (500, 1100 * number, 1450, 1450)
    return Tile(number, *regions, *counts, ours, 40.0 if reason else 3.2, reason)


def decide_all(folder: Path, decisions: Mapping[tuple[int, int], Decision] | Decision) -> list[Label]:
    """Sets them in `labels.csv`: of the tiles given, or of all that have a reading and were not dropped."""
    changed = []
    for label in read_labels(folder):
        free = label.tile.reading is not None and not label.tile.reason
        if isinstance(decisions, Decision):
            new = decisions if free else label.decision
        else:
            new = decisions.get(label.key, label.decision)
        changed.append(Label(label.pair, label.tile, new, label.folder))
    write_table(folder, changed)
    return read_labels(folder)
