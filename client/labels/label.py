"""What a training set consists of."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from histoserve.client.grid import Rectangle

NO_TUMOUR = "No tumour was found, so there is no reading."
"""Why a tile was dropped that shows what others show, but for tumour."""


class Decision(str, Enum):
    """What became of a tile; as it stands in `labels.csv`."""

    UNDECIDED = ""
    ACCEPT = "accept"
    DROP = "drop"


@dataclass(frozen=True)
class SlideOf:
    """One of a pair's slides."""

    name: str
    """Of its file."""
    content: str
    """sha256 as in `results/source`: two slides of one content are one slide whatever their names."""


@dataclass(frozen=True)
class Pair:
    """Two slides of the same tissue."""

    number: int
    """From 1, in the order in which they came into the folder."""
    marker: str
    he: SlideOf
    ihc: SlideOf
    tile_px: int
    """Side of each picture."""
    mpp: float
    """µm per px of each picture."""


@dataclass(frozen=True)
class Tile:
    """One tile of a pair, as it was read."""

    number: int
    """From 1, within its pair."""
    he_region: Rectangle
    """Level-0 px of the H&E slide."""
    ihc_region: Rectangle
    """Level-0 px of the IHC slide: the box around what shows the same tissue, turned as `registration.json` says."""
    positive: int
    """Tumour cells with the marker."""
    negative: int
    reading: float | None
    """0-1, to four places; None where there is no tumour."""
    residual_um: float | None
    """How far the two pictures are off each other here, to one place; None where nothing tells."""
    reason: str = ""
    """Why it was dropped beforehand, a sentence; such a tile cannot be accepted."""


@dataclass(frozen=True)
class Label:
    """A tile with the decision on it."""

    pair: Pair
    tile: Tile
    decision: Decision
    folder: Path
    """Of the pair."""

    @property
    def key(self) -> tuple[int, int]:
        """Numbers of pair and tile: what it is called everywhere."""
        return self.pair.number, self.tile.number

    @property
    def is_without_tumour(self) -> bool:
        """Whether it was read, and no tumour was found."""
        return self.tile.reason == NO_TUMOUR

    @property
    def he_picture(self) -> Path:
        """PNG, (tile_px, tile_px, 3)."""
        return self.folder / picture_name(self.tile.number, "he")

    @property
    def ihc_picture(self) -> Path:
        """The same tissue, as far as two sections show the same."""
        return self.folder / picture_name(self.tile.number, "ihc")


def picture_name(tile: int, stain: str) -> str:
    """In the pair's folder, of its `he` or `ihc`."""
    return f"{tile:04}_{stain}.png"
