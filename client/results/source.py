"""Which slide a result was made of, so that another slide of the same name is never taken for it."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from histoserve.client.errors import SlideError

ENDS_BYTES = 2**20
"""Read at each end of a file: a slide of gigabytes is recognised at once."""

ODD = re.compile(r"[\x00-\x1f\x7f/\\]")
"""Characters that no folder of a result has, though a file may."""


@dataclass(frozen=True)
class Source:
    """The slide's file."""

    path: Path
    """Absolute."""
    content: str
    """sha256 of size, first and last MiB."""

    @property
    def folder(self) -> str:
        """The slide's name without its ending; never hidden, never a step up."""
        name = ODD.sub("_", self.path.stem)
        return f"_{name[1:]}" if name.startswith(".") else name

    def described(self) -> dict[str, Any]:
        """As in `result.json`."""
        return {"path": str(self.path), "content_sha256": self.content}

    def differs_from(self, result: dict[str, Any]) -> str | None:
        """The path of the slide that a result was made of, if that is another: other bytes from another place."""
        slide = result.get("slide", {})
        same = slide.get("path") == str(self.path) or slide.get("content_sha256") == self.content
        return None if same else str(slide.get("path"))


def source_of(path: Path) -> Source:
    """Raises SlideError for a file that cannot be read."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            digest = hashlib.sha256(b"%d\n" % size + file.read(ENDS_BYTES))
            file.seek(max(0, size - ENDS_BYTES))
            digest.update(file.read(ENDS_BYTES))
    except OSError as error:
        raise SlideError(f"{path} cannot be read: {error.strerror}.") from error
    return Source(path.resolve(), digest.hexdigest())
