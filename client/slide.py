"""Slides, opened with OpenSlide, and plain images; the only file that imports OpenSlide.

`l0_` are level-0 pixels of the slide, `l_` pixels of another level. Every read gives RGB over white.
"""

import threading
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
import openslide
from numpy.typing import NDArray

from histoserve.client.errors import SlideError, UnreadableRegion
from histoserve.client.grid import Rectangle

RGB = NDArray[np.uint8]
"""(H, W, 3)."""

PLAIN_FORMATS = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
}
"""First bytes of the plain images; the file's suffix is not trusted."""

LEVEL_TOLERANCE = 1.01
"""A level this much coarser than wanted still counts as wanted: levels are rounded to whole pixels."""

UNREAD = 128
"""Grey of pictures where the slide could not be read."""


class Slide(ABC):
    """An open slide; several threads may read at a time."""

    def __init__(self, path: Path, downsamples: tuple[float, ...], l0_size: tuple[int, int]):
        self.path = path
        self.name = path.name
        self.downsamples = downsamples
        """Level-0 px per pixel of each level, finest first."""
        self.l0_size = l0_size
        """(width, height)."""

    stated_mpp: tuple[float, float] | None = None
    """µm/px across and down by the file itself, believed or not."""
    objective_power: float | None = None

    @abstractmethod
    def read(self, l0_region: Rectangle, level: int) -> RGB:
        """The region in the level's own pixels, white outside the slide; raises UnreadableRegion."""

    @abstractmethod
    def close(self) -> None:
        """Lets go of the file; no thread may be reading."""

    def level_for(self, downsample: float) -> int:
        """The coarsest level that is as fine as `downsample`, or the finest there is."""
        fine = [level for level, each in enumerate(self.downsamples) if each <= downsample * LEVEL_TOLERANCE]
        return max(fine, key=lambda level: self.downsamples[level], default=0)

    def __enter__(self) -> "Slide":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class ScannedSlide(Slide):
    """Anything OpenSlide opens.

    One failed read spoils an OpenSlide handle for good, so a failure opens the file anew: one bad region must not take
    the others with it. A spoilt handle closes itself when the last thread lets go of it.
    """

    def __init__(self, path: Path):
        self._handle = _open(path)
        self._lock = threading.Lock()
        super().__init__(path, tuple(self._handle.level_downsamples), self._handle.dimensions)
        across, down = self._number(openslide.PROPERTY_NAME_MPP_X), self._number(openslide.PROPERTY_NAME_MPP_Y)
        self.stated_mpp = (across, down) if across and down else None
        self.objective_power = self._number(openslide.PROPERTY_NAME_OBJECTIVE_POWER)

    def read(self, l0_region: Rectangle, level: int) -> RGB:
        """As Slide.read."""
        handle = self._handle
        try:
            return self._read_with(handle, l0_region, level)
        except openslide.OpenSlideError:
            pass
        try:
            fresh = _open(self.path)
            pixels = self._read_with(fresh, l0_region, level)
        except (openslide.OpenSlideError, SlideError) as error:
            self._replace(handle)
            raise UnreadableRegion(_unreadable(self.name, l0_region, error)) from error
        with self._lock:
            self._handle = fresh
        return pixels

    def close(self) -> None:
        """As Slide.close."""
        self._handle.close()

    def _replace(self, spoilt: openslide.OpenSlide) -> None:
        with self._lock:
            if self._handle is spoilt:
                # If the file went away, every read says so from now on.
                with suppress(SlideError):
                    self._handle = _open(self.path)

    def _read_with(self, handle: openslide.OpenSlide, l0_region: Rectangle, level: int) -> RGB:
        size = _level_size(l0_region, self.downsamples[level])
        return _over_white(np.asarray(handle.read_region(l0_region[:2], level, size)))

    def _number(self, name: str) -> float | None:
        try:
            number = float(self._handle.properties[name])
        except (KeyError, ValueError):
            return None
        return number if 0 < number < float("inf") else None


class PlainImage(Slide):
    """A PNG, JPEG or TIFF, held in memory; its own resolution tags are a printer's, so they are not read."""

    def __init__(self, path: Path, pixels: RGB):
        super().__init__(path, (1.0,), (pixels.shape[1], pixels.shape[0]))
        self._pixels = pixels

    def read(self, l0_region: Rectangle, level: int) -> RGB:
        """As Slide.read."""
        x, y, width, height = l0_region
        rgb = np.full((height, width, 3), 255, np.uint8)
        part = self._pixels[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)]
        top, left = max(-y, 0), max(-x, 0)
        rgb[top : top + part.shape[0], left : left + part.shape[1]] = part
        return rgb

    def close(self) -> None:
        """As Slide.close."""
        self._pixels = self._pixels[:0]


def open_slide(path: Path) -> Slide:
    """Raises SlideError for what is no file, no image, or damaged."""
    if path.is_dir():
        raise SlideError(f"{path} is a folder; give the slide's file (of a DICOM slide any one of its .dcm files).")
    if not path.exists():
        raise SlideError(f"{path} does not exist; give the path of a slide.")
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise SlideError(f"{path} cannot be read: {error.strerror}.") from error
    if openslide.OpenSlide.detect_format(path) is not None:
        return ScannedSlide(path)
    if any(start.startswith(magic) for magic in PLAIN_FORMATS):
        return PlainImage(path, _pixels(path))
    raise SlideError(
        f"{path} is neither a slide that OpenSlide opens nor a PNG, JPEG or TIFF image"
        f"{' (it is empty)' if not start else ''}. Check that the file is the slide itself and was copied whole."
    )


def _open(path: Path) -> openslide.OpenSlide:
    try:
        return openslide.OpenSlide(path)
    except (openslide.OpenSlideError, OSError) as error:
        raise SlideError(
            f"OpenSlide cannot open {path}: {error}. The file is damaged or of a kind it does not know; "
            "copy it again from the scanner, or convert it."
        ) from error


def _pixels(path: Path) -> RGB:
    data = np.fromfile(path, np.uint8)
    try:
        image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        raise SlideError(f"{path} cannot be read as an image: {error.err}.") from error
    if image is None or not _complete(data.tobytes()):
        raise SlideError(f"{path} cannot be read as an image: it is damaged or cut short. Copy it again.")
    if image.dtype != np.uint8 and image.dtype != np.uint16:
        raise SlideError(f"{path} holds {image.dtype} pixels; images of 8 or 16 bits per channel can be analysed.")
    if image.dtype == np.uint16:
        image = (image // 257).astype(np.uint8)
    if image.ndim == 2:
        return cv2.cvtColor(image, cv2.COLOR_GRAY2RGB).astype(np.uint8)
    if image.shape[2] == 4:
        return _over_white(cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA).astype(np.uint8))
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.uint8)


def _complete(data: bytes) -> bool:
    """Whether a JPEG's last scan ends; a decoder fills what is missing with grey and says nothing."""
    return not data.startswith(b"\xff\xd8\xff") or data.find(b"\xff\xd9", data.rfind(b"\xff\xda")) >= 0


def _over_white(rgba: NDArray[np.uint8]) -> RGB:
    """Straight alpha, (H, W, 4) → (H, W, 3)."""
    alpha = rgba[..., 3:]
    if alpha.min(initial=255) == 255:
        return np.ascontiguousarray(rgba[..., :3])
    weighted = rgba[..., :3].astype(np.uint16) * alpha + 255 * (255 - alpha.astype(np.uint16))
    return ((weighted + 127) // 255).astype(np.uint8)


def _level_size(l0_region: Rectangle, downsample: float) -> tuple[int, int]:
    return max(1, round(l0_region[2] / downsample)), max(1, round(l0_region[3] / downsample))


def _unreadable(name: str, l0_region: Rectangle, error: Exception) -> str:
    x, y, width, height = l0_region
    return f"{name} cannot be read at x {x}, y {y}, {width}×{height} px: {error}"
