"""Slides: what every kind of file gives. How each kind is read stands in `formats`.

`l0_` are level-0 pixels of the slide, `l_` pixels of another level. Every read gives RGB over white.
"""

import os
import stat
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histoserve.client.errors import SlideError
from histoserve.client.grid import Rectangle
from histoserve.client.travel.stored import StoredTiles

RGB = NDArray[np.uint8]
"""(H, W, 3)."""

PLAIN_FORMATS = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
}
"""First bytes of the plain images; the file's suffix is not trusted."""

DICOM, FIRST_BYTES = b"DICM", 132
"""Behind 128 bytes of anything."""

LEVEL_TOLERANCE = 1.01
"""A level this much coarser than wanted still counts as wanted: levels are rounded to whole pixels."""

UNREAD = 128
"""Grey of the thumbnail where the slide could not be read: no glass, so its tiles are tried and reported."""


class Slide(ABC):
    """An open slide; several threads may read at a time."""

    def __init__(self, path: Path, downsamples: tuple[float, ...], l0_size: tuple[int, int]):
        self.path = path
        self.name = printable(path.name)
        self.downsamples = downsamples
        """Level-0 px per pixel of each level, finest first."""
        self.l0_size = l0_size
        """(width, height)."""
        self.warnings: list[str] = []
        """What a reader of the result should know, a sentence each."""
        self.dropped_levels: list[str] = []
        """Which levels are not used and why, a sentence each."""
        self.read_elsewhere: dict[int, int] = {}
        """Level → how many blocks of it could not be read and came from a finer one."""

    grey: dict[str, Any] | None = None
    """How values became grey levels, where the file left a choice."""
    stated_mpp: tuple[float, float] | None = None
    """µm/px across and down by the file itself, believed or not."""
    objective_power: float | None = None
    bounds: Rectangle | None = None
    """Where the scanner scanned, by the file itself (MRXS, SCN, Ventana); beyond it is white padding, without tiles."""

    @property
    def viewer_origin(self) -> tuple[int, int]:
        """Level-0 px of what QuPath calls (0, 0): it shows a slide with bounds cropped to them."""
        return self.bounds[:2] if self.bounds else (0, 0)

    @abstractmethod
    def read(self, l0_region: Rectangle, level: int) -> RGB:
        """The region in the level's own pixels, white outside the slide; raises UnreadableRegion.

        What a coarser level cannot give is read from finer ones. The pixels show the region to within half a level-0
        pixel if its corner and sides are whole pixels of the level.
        """

    @abstractmethod
    def close(self) -> None:
        """Lets go of the file; no thread may be reading."""

    def stored(self, level: int) -> StoredTiles | None:
        """The level's tiles as JPEGs, for whoever closes them; None where there are none, or they lie between pixels.

        Whether they show what `read` does is to be looked at: not every file is what its tags say.
        """
        return None

    def level_for(self, downsample: float) -> int:
        """The coarsest level that is as fine as `downsample`, or the finest there is."""
        fine = [level for level, each in enumerate(self.downsamples) if each <= downsample * LEVEL_TOLERANCE]
        return max(fine, key=lambda level: self.downsamples[level], default=0)

    def unit(self, level: int) -> int:
        """Level-0 px whose multiples are whole pixels of the level; 1 where there are none."""
        downsample = self.downsamples[level]
        return int(downsample) if downsample == int(downsample) else 1

    def __enter__(self) -> "Slide":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_slide(path: Path) -> Slide:
    """Raises SlideError for what is no file, no image, damaged, or of a kind that no decoder here reads rightly."""
    # They need the class above.
    from histoserve.client.formats.opening import open_file

    start = _first_bytes(path)
    kind = "DICOM" if start.endswith(DICOM) and len(start) == FIRST_BYTES else None
    return open_file(path, next((each for magic, each in PLAIN_FORMATS.items() if start.startswith(magic)), kind))


def printable(path: Path | str) -> str:
    """A file's name for messages and results: bytes that are not UTF-8 are written as \\xNN."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _first_bytes(path: Path) -> bytes:
    """Raises SlideError for what is no file with something in it; never waits, as reading a pipe would."""
    name = printable(path)
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise SlideError(f"{name} is a folder; give the slide's file (of a DICOM slide any one of its .dcm files).")
        if not stat.S_ISREG(mode):
            raise SlideError(f"{name} is no file but a pipe, socket or device; save the slide to a file and give that.")
        with open(path, "rb") as file:
            start = file.read(FIRST_BYTES)
    except FileNotFoundError as error:
        raise SlideError(f"{name} does not exist; give the path of a slide.") from error
    except (OSError, ValueError) as error:
        raise SlideError(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    if not start:
        raise SlideError(f"{name} is empty. Copy the slide again.")
    return start
