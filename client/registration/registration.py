"""What `registration.json` says, for whoever reads one slide through the matrix of the other."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from histoserve.client.errors import WrongUsage
from histoserve.client.grid import Rectangle
from histoserve.client.registration.affine import Matrix, Points, applied, inverse, is_usable
from histoserve.client.slide import printable

SCHEMA = 1
"""Of `registration.json`: another number whenever a reader of the one before would be misled."""

NEAREST = 4
"""Patches that a place's residual is taken from: those around it."""


@dataclass(frozen=True)
class Section:
    """One of the two slides."""

    name: str
    size: tuple[int, int]
    """(width, height), level-0 px."""
    mpp: float
    """µm per level-0 px, as it was used."""
    content: str
    """sha256 of parts of the file, as `content_sha256` in `result.json`."""


@dataclass(frozen=True)
class Patch:
    """A part of the tissue at which it was measured by how much the matrix misses."""

    he: tuple[float, float]
    """Its middle, level-0 px of the H&E."""
    shift_um: tuple[float, float]
    """What the IHC, read through the matrix, still had to be moved by to lie on the H&E: x, y."""


@dataclass(frozen=True)
class Registration:
    """How an IHC slide lies to an H&E slide."""

    he: Section
    ihc: Section
    matrix: Matrix
    """Level-0 px of the H&E → level-0 px of the IHC."""
    patches: tuple[Patch, ...]
    reach_um: float
    """How far from its middle a patch tells anything."""

    @classmethod
    def load(cls, path: Path) -> Registration:
        """Raises WrongUsage for a file that is none, or that no longer says all that is needed."""
        try:
            said = json.loads(path.read_text("utf-8"))
        except OSError as error:
            raise WrongUsage(f"{printable(path)} cannot be read: {error.strerror}.") from error
        except (ValueError, RecursionError) as error:
            raise WrongUsage(
                f"{printable(path)} is no JSON: {error!s:.80}. Make it with `histoserve register`."
            ) from error
        try:
            if said["schema"] != SCHEMA:
                raise ValueError(f"schema {SCHEMA} was wanted, it has {said['schema']!r}")
            return _from_json(said)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise WrongUsage(
                f"{printable(path)} is no registration.json of this version ({error!r:.120}). "
                "Make it anew with `histoserve register HE IHC -o OUT`."
            ) from error

    @property
    def mirrored(self) -> bool:
        """Whether the IHC section lies face down to the H&E, or its scanner mirrors."""
        return bool(np.linalg.det(self.matrix[:, :2]) < 0)

    def to_ihc(self, points: ArrayLike) -> Points:
        """(N, 2) level-0 px of the H&E → (N, 2) level-0 px of the IHC."""
        return applied(self.matrix, points)

    def to_he(self, points: ArrayLike) -> Points:
        """(N, 2) level-0 px of the IHC → (N, 2) level-0 px of the H&E."""
        return applied(inverse(self.matrix), points)

    def corners_in_ihc(self, region: Rectangle) -> Points:
        """(4, 2): where the corners of a window of the H&E lie on the IHC, upper left first, then clockwise there."""
        x, y, width, height = region
        return self.to_ihc([(x, y), (x + width, y), (x + width, y + height), (x, y + height)])

    def ihc_region(self, region: Rectangle) -> Rectangle:
        """The smallest upright rectangle of the IHC that holds a window of the H&E; may reach beyond the slide."""
        corners = self.corners_in_ihc(region)
        (left, top), (right, bottom) = np.floor(corners.min(axis=0)), np.ceil(corners.max(axis=0))
        return int(left), int(top), int(right - left), int(bottom - top)

    def residual_um(self, region: Rectangle) -> float:
        """By how much the matrix misses about the middle of a window of the H&E, in µm.

        The median length of the nearest patches' shifts, nearer ones counting more, so that a single one that was
        found elsewhere does not decide; infinity where none was measured near enough to tell.
        """
        x, y, width, height = region
        middle = np.array([x + width / 2, y + height / 2])
        places = np.array([patch.he for patch in self.patches], np.float64).reshape(-1, 2)
        distance = np.hypot(*((places - middle) * self.he.mpp).T)
        near = np.argsort(distance, kind="stable")[:NEAREST]
        near = near[distance[near] <= self.reach_um]
        if not len(near):
            return math.inf
        lengths = np.array([math.hypot(*self.patches[i].shift_um) for i in near])
        weights = 1 / (distance[near] / self.reach_um + 1e-3) ** 2
        order = np.argsort(lengths, kind="stable")
        passed = np.cumsum(weights[order])
        return float(lengths[order][int(np.searchsorted(passed, passed[-1] / 2))])

    def described(self) -> dict[str, Any]:
        """The part of `registration.json` that `load` reads."""
        return {
            "schema": SCHEMA,
            "he": _section_json(self.he),
            "ihc": _section_json(self.ihc),
            "matrix": self.matrix.tolist(),
            "patches": [{"he": list(each.he), "shift_um": list(each.shift_um)} for each in self.patches],
            "patch_reach_um": self.reach_um,
        }


def _section_json(section: Section) -> dict[str, Any]:
    width, height = section.size
    return {
        "name": section.name,
        "width": width,
        "height": height,
        "mpp": section.mpp,
        "content_sha256": section.content,
    }


def _from_json(said: dict[str, Any]) -> Registration:
    matrix = np.array(said["matrix"], np.float64)
    if not is_usable(matrix):
        raise ValueError("its matrix must be [[a, b, c], [d, e, f]], and lead there and back")
    patches = tuple(Patch(_pair(each["he"]), _pair(each["shift_um"])) for each in said["patches"])
    reach = _number(said["patch_reach_um"])
    return Registration(_section(said["he"]), _section(said["ihc"]), matrix, patches, reach)


def _section(said: dict[str, Any]) -> Section:
    name, content = said["name"], said["content_sha256"]
    if not isinstance(name, str) or not isinstance(content, str):
        raise ValueError("a slide's name and content_sha256 must be text")
    width, height = int(said["width"]), int(said["height"])
    mpp = _number(said["mpp"])
    if width < 1 or height < 1 or mpp <= 0:
        raise ValueError(f"a slide of {width}×{height} px and {mpp:g} µm/px cannot be")
    return Section(name, (width, height), mpp, content)


def _pair(values: Any) -> tuple[float, float]:
    x, y = map(_number, values)
    return x, y


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value!r} where a number must be")
    return number
