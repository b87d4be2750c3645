"""Which pair of a training set two slides are: one that is whole, one that a run left unfinished, or a new one."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from histoserve.client.errors import LabelsError, OutputError
from histoserve.client.labels.label import Pair
from histoserve.client.labels.record import PAIRS, TILES, pair_folder, pair_folders, read_pair
from histoserve.client.labels.write import begin_pair, locked
from histoserve.client.slide import printable


@dataclass(frozen=True)
class Found:
    """A pair and its folder."""

    pair: Pair
    place: Path

    @property
    def is_whole(self) -> bool:
        """Nothing is left to read."""
        return (self.place / TILES).is_file()


def known_pair(folder: Path, wanted: Pair) -> Found | None:
    """Of these two slides and marker, whatever its number; None if there is none.

    Raises LabelsError if the folder holds the slides for another marker, or tiles of another size.
    """
    found = None
    for place in pair_folders(folder):
        pair = read_pair(place)
        if (pair.tile_px, pair.mpp) != (wanted.tile_px, wanted.mpp):
            raise LabelsError(
                f"{printable(folder)} holds tiles of {pair.tile_px} px at {pair.mpp:g} µm/px, and {wanted.tile_px} px "
                f"at {wanted.mpp:g} µm/px were asked for: give these, or another folder with -o."
            )
        if (pair.he.content, pair.ihc.content) == (wanted.he.content, wanted.ihc.content):
            if pair.marker != wanted.marker:
                raise LabelsError(
                    f"These two slides are pair {pair.number} of {printable(folder)} already, for {pair.marker}; now "
                    f"--marker says {wanted.marker}. Give the marker that the slide was stained for; if the pair has "
                    "the wrong one, remove its folder and its rows."
                )
            found = Found(pair, place)
    return found


def new_pair(folder: Path, wanted: Pair) -> Found:
    """The next number is its; raises OutputError."""
    try:
        (folder / PAIRS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{printable(folder)} cannot be written to: {error.strerror}. Give a folder that you may write to with -o."
        ) from error
    with locked(folder):
        number = 1 + max((int(place.name) for place in pair_folders(folder)), default=0)
        pair = replace(wanted, number=number)
        begin_pair(folder, pair)
    return Found(pair, pair_folder(folder, number))


@contextmanager
def alone(found: Found) -> Iterator[None]:
    """No other run works at the pair; raises OutputError."""
    with locked(found.place, f"Another run is at pair {found.pair.number}"):
        yield
