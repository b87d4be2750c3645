"""The record of a pair: what was read, written once."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from histoserve.client.errors import LabelsError
from histoserve.client.grid import Rectangle
from histoserve.client.labels.label import Pair, SlideOf, Tile, picture_name
from histoserve.client.replace import replace_file
from histoserve.client.slide import printable

PAIRS, PAIR = "pairs", "pair.json"

TILES, JOURNAL = "tiles.jsonl", "journal.jsonl"
"""The record of a pair that is whole, and of one that is not."""


@dataclass(frozen=True)
class Record:
    """Of a whole pair."""

    pair: Pair
    tiles: Mapping[int, Tile]
    """By their numbers."""
    folder: Path


def pair_folder(folder: Path, number: int) -> Path:
    """In the training set's `folder`."""
    return folder / PAIRS / f"{number:04}"


def read_records(folder: Path) -> dict[int, Record]:
    """Of the whole pairs, by their numbers; raises LabelsError."""
    records = {}
    for place in pair_folders(folder):
        if (place / TILES).is_file():
            pair = read_pair(place)
            tiles = {tile.number: tile for tile in read_tiles(place / TILES)}
            _require_pictures(place, tiles)
            records[pair.number] = Record(pair, tiles, place)
    return records


def pair_folders(folder: Path) -> Iterator[Path]:
    """By number, whole or not."""
    places = folder / PAIRS
    if places.is_dir():
        numbered = ((int(each.name), each) for each in places.iterdir() if each.name.isdecimal() and each.is_dir())
        yield from (place for _, place in sorted(numbered))


def read_pair(place: Path) -> Pair:
    """From a pair's folder; raises LabelsError."""
    try:
        said = json.loads((place / PAIR).read_bytes())
        he, ihc = (SlideOf(**said.pop(stain)) for stain in ("he", "ihc"))
        pair = Pair(**{name: said[name] for name in ("number", "marker", "tile_px", "mpp")}, he=he, ihc=ihc)
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise _damaged(place / PAIR, error) from error
    if pair.number != int(place.name):
        raise LabelsError(
            f"{printable(place / PAIR)} is of pair {pair.number}: folders of pairs were renamed or mixed; "
            "name them as before."
        )
    return pair


def read_tiles(path: Path) -> list[Tile]:
    """In the order in which they were read; raises LabelsError."""
    tiles = []
    try:
        for line in path.read_text("utf-8").splitlines():
            tiles.append(tile_from(json.loads(line)))
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise _damaged(path, error) from error
    if len({tile.number for tile in tiles}) < len(tiles):
        raise _damaged(path, "a tile stands in it twice")
    return tiles


def read_journal(place: Path) -> list[Tile]:
    """Of an unfinished pair; a line that a run did not write to its end is cut off. Raises LabelsError."""
    path = place / JOURNAL
    try:
        content = path.read_bytes() if path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            replace_file(path, whole)
    except OSError as error:
        raise _damaged(path, error) from error
    return read_tiles(path) if whole else []


def line_of(tile: Tile) -> str:
    """As it stands in the record."""
    return json.dumps(asdict(tile)) + "\n"


def tile_from(said: dict[str, Any]) -> Tile:
    """From a line of the record; raises ValueError, TypeError or LookupError for what is none."""
    he_region, ihc_region = (_region(said.pop(name)) for name in ("he_region", "ihc_region"))
    tile = Tile(**said, he_region=he_region, ihc_region=ihc_region)
    counts = tile.number, tile.positive, tile.negative
    if not all(type(each) is int and each >= 0 for each in counts):
        raise ValueError("counts that are none")
    if tile.residual_um is not None and not 0 <= tile.residual_um < math.inf:
        raise ValueError(f"a residual of {tile.residual_um}")
    if tile.reading is not None and not 0 <= tile.reading <= 1:
        raise ValueError(f"a reading of {tile.reading}")
    return tile


def _region(said: Any) -> Rectangle:
    x, y, width, height = said
    if not all(type(each) is int for each in (x, y, width, height)):
        raise ValueError("a region that is none")
    return x, y, width, height


def _require_pictures(place: Path, tiles: Mapping[int, Tile]) -> None:
    there = {each.name for each in place.iterdir()}
    for number in tiles:
        for stain in ("he", "ihc"):
            if picture_name(number, stain) not in there:
                raise LabelsError(
                    f"{printable(place / picture_name(number, stain))} is missing; copy the whole folder, "
                    "or remove the pair's folder and its rows and label the pair again."
                )


def _damaged(path: Path, what: Any) -> LabelsError:
    return LabelsError(
        f"{printable(path)} is damaged ({what}); copy the whole folder again, "
        "or remove the pair's folder and its rows and label the pair again."
    )
