"""How a tile's pixels travel to the server."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.errors import WrongUsage

DEFAULT_JPEG_QUALITY = 90
"""Above it files grow fast and differ by little more than rounding; below it nuclei begin to show block borders."""


EXACT = "exact"
"""The pixels of the slide."""


@dataclass(frozen=True)
class Encoding:
    """What `--encoding` says."""

    name: Literal["raw", "jpeg", "stored"] = "raw"
    quality: int = DEFAULT_JPEG_QUALITY
    """Of the JPEG, 1 to 100."""

    def __str__(self) -> str:
        """As the option is written."""
        return f"jpeg:{self.quality}" if self.name == "jpeg" else self.name

    @property
    def pixels(self) -> str:
        """What of it can change a result: not whether pixels travel, or the JPEGs that they come from."""
        return str(self) if self.name == "jpeg" else EXACT


def encoding_from_text(text: str) -> Encoding:
    """From `stored`, `raw`, `jpeg` or `jpeg:QUALITY`; raises WrongUsage for anything else."""
    name, colon, quality = text.partition(":")
    if name == "stored" and not colon:
        return Encoding("stored")
    if name == "raw" and not colon:
        return Encoding("raw")
    if name == "jpeg" and not colon:
        return Encoding("jpeg")
    if name == "jpeg" and quality.isascii() and quality.isdigit() and 1 <= int(quality) <= 100:
        return Encoding("jpeg", int(quality))
    raise WrongUsage(f"--encoding {text!r} is unknown: use stored, raw, jpeg or jpeg:QUALITY, from 1 to 100.")


def encode(rgb: NDArray[np.uint8], encoding: Encoding) -> bytes:
    """RGB (H, W, 3) → a PPM (exact) or a JPEG (smaller, changes pixels); of pixels none is stored."""
    height, width = rgb.shape[:2]
    if encoding.pixels == EXACT:
        return b"P6\n%d %d\n255\n" % (width, height) + rgb.tobytes()
    _, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, encoding.quality])
    return data.tobytes()
