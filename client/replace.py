"""Files that are replaced as a whole: whoever reads one sees the old or the new, never a part."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from histoserve.client.results.folder import UMASK


def replace_file(place: Path, content: bytes) -> None:
    """Through a temporary file beside it, on the disk before it takes the place; raises OSError."""
    # Of a link what it leads to is replaced.
    place = place.resolve()
    with tempfile.NamedTemporaryFile("wb", dir=place.parent, prefix=f".{place.name}-", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), 0o666 & ~UMASK)
            os.fsync(file.fileno())
            os.replace(file.name, place)
        except BaseException:
            with suppress(OSError):
                os.unlink(file.name)
            raise
