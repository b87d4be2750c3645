"""Shapes out of a result's GeoJSON, as `results.geojson` writes it: a feature a line.

The file is read as a stream, some thousand lines at a time; places are moved back by the origin that it names.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import orjson
from numpy.typing import NDArray

POINTS_AT_ONCE = 100_000
"""Made into arrays together: few calls, little memory."""

FARTHEST_PX = 2.0**24
"""From the slide's corner; whatever lies beyond is moved there, so that nothing overflows."""

ORIGIN = "histoserve_origin"


@dataclass(frozen=True)
class Rings:
    """Closed outlines, one after the other; a feature with holes, or in several parts, has several."""

    l0_points: NDArray[np.float32]
    """(points, 2)."""
    counts: NDArray[np.int64]
    """Points of each ring, at least one; the first one is not repeated."""
    of: NDArray[np.int32]
    """Class of each ring."""
    hole: NDArray[np.bool_]
    """Which rings are cut out of others."""
    line: NDArray[np.int64]
    """Where in the file each ring's feature begins, in bytes."""


@dataclass(frozen=True)
class Wanted:
    """A layer of the file."""

    features: int
    classes: Sequence[str] | None
    """Names, for shapes; the features of other layers are only counted."""


def read(path: Path, layers: Sequence[Wanted], progress: Callable[[float], None]) -> Iterator[tuple[int, Rings]]:
    """Parts of the layers, each with its layer's number, in order; `progress` hears the share that is read.

    Raises ValueError for a file that is missing, cut off or otherwise not what `layers` say.
    """
    try:
        with path.open("rb") as file:
            size = max(1, path.stat().st_size)
            lines = _Lines(path.name, file)
            for number, layer in enumerate(layers):
                missing = layer.features
                while missing > 0:
                    read, rings = lines.rings(missing, layer.classes)
                    missing -= read
                    progress(lines.place / size)
                    yield number, rings
            lines.finish()
    except OSError as error:
        raise ValueError(f"{path.name} cannot be read: {error.strerror or error}") from error


def feature_at(path: Path, line: int) -> dict[str, Any]:
    """The feature whose line begins there; raises OSError and ValueError."""
    with path.open("rb") as file:
        file.seek(line)
        feature = orjson.loads(file.readline().rstrip(b",\r\n"))
    if not isinstance(feature, dict):
        raise ValueError("no feature")
    return feature


class _Lines:
    """The lines of a file."""

    def __init__(self, name: str, file: BinaryIO):
        self._name, self._file = name, file
        header = file.readline()
        self.place, self._number = len(header), 1
        self._origin = self._read_origin(header)

    def rings(self, most: int, classes: Sequence[str] | None) -> tuple[int, Rings]:
        """How many features were read, at least one, and their rings; none if no classes are given."""
        number_of = {name: number for number, name in reversed(list(enumerate(classes or ())))}
        rings: list[Any] = []
        of: list[tuple[int, bool, int]] = []
        read = points = 0
        while read < most and points < POINTS_AT_ONCE:
            place, feature = self._next()
            read += 1
            if classes is None:
                continue
            try:
                number = number_of[feature["properties"]["classification"]["name"]]
                for polygon in _polygons(feature["geometry"]):
                    there = [ring for ring in polygon if ring]
                    rings += there
                    of += [(number, at > 0, place) for at in range(len(there))]
                    points += sum(map(len, there))
            except (KeyError, TypeError, ValueError) as error:
                raise self._wrong(f"is no shape of this result ({error!r})") from error
        placed, counts = self._points(rings)
        kinds, holes, places = np.array(of, np.int64).reshape(-1, 3).T
        return read, Rings(placed, counts, kinds.astype(np.int32), holes.astype(bool), places)

    def finish(self) -> None:
        """Raises ValueError if there is more, or no end."""
        line = self._file.readline().strip()
        self._number += 1
        if line.startswith(b"{"):
            raise self._wrong("is one feature more than layers.json says")
        if line != b"]}" or self._file.readline().strip():
            raise self._wrong("is not the end of the file, as it should be; it is cut off or damaged")

    def _read_origin(self, header: bytes) -> NDArray[np.float64]:
        try:
            if not header.rstrip().endswith(b"["):
                raise ValueError("no list of features")
            origin = np.array(orjson.loads(header.rstrip() + b"]}").get(ORIGIN, (0, 0)), np.float64)
            if origin.shape != (2,) or not np.isfinite(origin).all():
                raise ValueError(ORIGIN)
        except (ValueError, TypeError, AttributeError) as error:
            raise self._wrong(f"is not how histoserve begins such a file ({error})") from error
        return origin

    def _next(self) -> tuple[int, dict[str, Any]]:
        place, line = self.place, self._file.readline()
        self.place += len(line)
        self._number += 1
        text = line.rstrip(b",\r\n")
        if text == b"]}":
            raise self._wrong("ends the file, though layers.json says that there are more features")
        try:
            feature = orjson.loads(text)
        except ValueError as error:
            raise self._wrong(f"is no feature; the file is cut off or damaged ({error})") from error
        if not isinstance(feature, dict) or feature.get("type") != "Feature":
            raise self._wrong("is no feature")
        return place, feature

    def _points(self, rings: Sequence[Any]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """All points, and how many of each ring."""
        try:
            counts = np.array([len(ring) for ring in rings], np.int64)
            points = _pairs(list(chain.from_iterable(rings)))
        except (TypeError, ValueError) as error:
            raise self._wrong(f"or one shortly before it has places that are none ({error})") from error
        if not np.isfinite(points).all():
            raise self._wrong("or one shortly before it has a place that is not finite")
        points = (points + self._origin).clip(-FARTHEST_PX, FARTHEST_PX)
        return _opened(points.astype(np.float32), counts)

    def _wrong(self, what: str) -> ValueError:
        return ValueError(f"{self._name}, line {self._number}: it {what}")


def _polygons(geometry: dict[str, Any]) -> Iterable[Any]:
    """Each a list of rings, all but the first one holes."""
    if geometry["type"] == "Polygon":
        return [geometry["coordinates"]]
    if geometry["type"] == "MultiPolygon":
        polygons: list[Any] = geometry["coordinates"]
        return polygons
    raise ValueError(f"a {geometry['type']}")


def _pairs(points: Sequence[Any]) -> NDArray[np.float64]:
    """(n, 2); a height, as other tools write, is left out."""
    flat = np.fromiter(chain.from_iterable(points), np.float64)
    if len(flat) != 2 * len(points):
        flat = np.array([point[:2] for point in points], np.float64)
    return flat.reshape(len(points), 2)


def _opened(points: NDArray[np.float32], counts: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Without the last points where they repeat the first ones."""
    ends = np.cumsum(counts)
    repeated = (counts > 1) & (points[ends - 1] == points[ends - counts]).all(axis=1)
    kept = np.ones(len(points), bool)
    kept[ends[repeated] - 1] = False
    return points[kept], counts - repeated
