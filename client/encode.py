"""How a tile's pixels travel to the server."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.errors import WrongUsage

DEFAULT_JPEG_QUALITY = 90
"""Above it files grow fast and differ by little more than rounding; below it nuclei begin to show block borders."""


@dataclass(frozen=True)
class Encoding:
    """What `--encoding` says."""

    name: Literal["raw", "jpeg"] = "raw"
    quality: int = DEFAULT_JPEG_QUALITY
    """Of the JPEG, 1 to 100."""

    def __str__(self) -> str:
        """As the option is written."""
        return "raw" if self.name == "raw" else f"jpeg:{self.quality}"


def encoding_from_text(text: str) -> Encoding:
    """From `raw`, `jpeg` or `jpeg:QUALITY`; raises WrongUsage for anything else."""
    name, colon, quality = text.partition(":")
    if name == "raw" and not colon:
        return Encoding("raw")
    if name == "jpeg" and not colon:
        return Encoding("jpeg")
    if name == "jpeg" and quality.isascii() and quality.isdigit() and 1 <= int(quality) <= 100:
        return Encoding("jpeg", int(quality))
    raise WrongUsage(f"--encoding {text!r} is unknown: use raw, jpeg, or jpeg:QUALITY with a quality from 1 to 100.")


def encode(rgb: NDArray[np.uint8], encoding: Encoding) -> bytes:
    """RGB (H, W, 3) → a PPM (exact) or a JPEG (smaller, changes pixels)."""
    height, width = rgb.shape[:2]
    if encoding.name == "raw":
        return b"P6\n%d %d\n255\n" % (width, height) + rgb.tobytes()
    _, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, encoding.quality])
    return data.tobytes()
