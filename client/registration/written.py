"""`registration.json` and `checkerboard.png`: written together, the first one last."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from histoserve.client.errors import OutputError
from histoserve.client.registration.checks import Laid
from histoserve.client.registration.lay import laid
from histoserve.client.registration.registration import Registration, Section
from histoserve.client.replace import replace_file
from histoserve.client.slide import RGB

LAST, PICTURE = "registration.json", "checkerboard.png"
"""The presence of the one says that both are there."""

SQUARES = 12
"""Along the picture's longer side."""


def require_own(out: Path, he: Section, ihc: Section) -> None:
    """Raises OutputError if a registration of other slides is there."""
    try:
        said = json.loads((out / LAST).read_text("utf-8"))
        there = [str(said[each]["content_sha256"]) for each in ("he", "ihc")]
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise OutputError(f"{out / LAST} is no registration. Give another folder with -o, or move it away.") from error
    if there != [he.content, ihc.content]:
        raise OutputError(f"{out / LAST} is that of two other slides. Give another folder with -o, or move it away.")


def write(out: Path, registration: Registration, more: dict[str, Any], picture: RGB) -> None:
    """Replaces what is there. Raises OutputError."""
    text = json.dumps({**registration.described(), **more}, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    written, encoded = cv2.imencode(".png", picture[..., ::-1])
    assert written
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / LAST).unlink(missing_ok=True)
        replace_file(out / PICTURE, encoded.tobytes())
        replace_file(out / LAST, text.encode())
    except OSError as error:
        raise OutputError(
            f"Nothing can be written to {out}: {error.strerror}. Give a folder that you may write to with -o."
        ) from error


def checkerboard(so: Laid) -> RGB:
    """The H&E and the IHC as it is laid on it in turn: where they meet, vessels and borders must go on."""
    layers = [laid(so.he, so.ihc, so.ihc.rgb[..., channel].astype(np.float32), so.matrix) for channel in range(3)]
    ihc = np.stack([values for values, _ in layers], axis=-1).round().clip(0, 255).astype(np.uint8)
    ihc[~layers[0][1]] = 255
    height, width = so.he.rgb.shape[:2]
    side = max(1, round(max(height, width) / SQUARES))
    odd = (np.arange(height)[:, None] // side + np.arange(width)[None] // side) % 2 > 0
    return np.where(odd[..., None], ihc, so.he.rgb)
