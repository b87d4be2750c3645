"""Which slide a result was made of, so that another slide of the same name is never taken for it."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from histoserve.client.errors import SlideError
from histoserve.client.slide import printable

ENDS_BYTES = 2**20
"""Read at each end of a file: a slide of gigabytes is recognised at once."""

SAMPLES, SAMPLE_BYTES = 64, 2**16
"""Read evenly in between: of two uncompressed scans of one size both ends may be the same glass."""

ODD = re.compile(r"[\x00-\x1f\x7f/\\]")
"""Characters that no folder of a result has, though a file may."""


@dataclass(frozen=True)
class Source:
    """The slide's file."""

    path: Path
    """Absolute, as it was given: where a link leads has often no telling name."""
    content: str
    """sha256 of the size and of parts, see above."""

    @property
    def folder(self) -> str:
        """The slide's name without its ending; never hidden, never a step up."""
        return folder_of(self.path)

    def described(self) -> dict[str, Any]:
        """As in `result.json`, without the path itself: a hospital's folders bear the names of patients."""
        return {"content_sha256": self.content, "path_sha256": self._path_digest}

    def differs_from(self, result: dict[str, Any]) -> str | None:
        """The name of the slide that a result was made of, if that is another: other bytes from another place."""
        slide = result.get("slide", {})
        same = slide.get("path_sha256") == self._path_digest or slide.get("content_sha256") == self.content
        return None if same else f"{slide.get('name')} (content_sha256 {slide.get('content_sha256')})"

    @property
    def _path_digest(self) -> str:
        return hashlib.sha256(os.fsencode(self.path)).hexdigest()


def folder_of(slide: Path) -> str:
    """In OUT, of the results of a slide."""
    name = ODD.sub("_", slide.stem)
    return f"_{name[1:]}" if name.startswith(".") else name


def source_of(path: Path) -> Source:
    """Raises SlideError for a file that cannot be read."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            digest = hashlib.sha256(b"%d\n" % size)
            for start, length in _parts(size):
                file.seek(start)
                digest.update(file.read(length))
    except OSError as error:
        raise SlideError(f"{printable(path)} cannot be read: {error.strerror}.") from error
    return Source(path.absolute(), digest.hexdigest())


def _parts(size: int) -> list[tuple[int, int]]:
    """(start, bytes) of what is read; all of a small file."""
    if size <= 2 * ENDS_BYTES + SAMPLES * SAMPLE_BYTES:
        return [(0, size)]
    between = size - 2 * ENDS_BYTES - SAMPLE_BYTES
    samples = [(ENDS_BYTES + i * between // (SAMPLES - 1), SAMPLE_BYTES) for i in range(SAMPLES)]
    return [(0, ENDS_BYTES), *samples, (size - ENDS_BYTES, ENDS_BYTES)]
