"""Nuclei: the rows of the tiles, one of each nucleus that two tiles saw, and what is written of them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histoserve.client.contract import Contract
from histoserve.client.errors import ServerError
from histoserve.client.grid import PlannedTile
from histoserve.client.pipelines.nuclei.schema import RESULT
from histoserve.client.results.layers import Class, Layer, Shape, Shapes
from histoserve.client.results.palette import colour_of
from histoserve.client.wire import Arrays, Outputs

FIELDS: dict[str, tuple[type, tuple[int, ...]]] = {
    "CENTROID": (np.float32, (2,)),
    "BOX": (np.float32, (4,)),
    "TYPE": (np.uint8, ()),
    "TYPE_PROBABILITY": (np.float32, ()),
    "AREA": (np.float32, ()),
    "SHAPE": (np.uint8, (72,)),
    "TILE_INDEX": (np.int32, ()),
    "CORE": (np.float32, (4,)),
}
"""What `nuclei_slide` takes of each nucleus, in level-0 px; all but CORE are outputs of `nuclei_tiles`."""

PLACE = ("CENTROID", "BOX", "TILE_INDEX")
"""The order of the nuclei in the files; equal ones are of one tile, in its order."""
ROW = ("TILE_INDEX", "CENTROID", "BOX", "TYPE", "AREA")
"""The order in which they are sent to `nuclei_slide`."""
WRITTEN = ("CENTROID", "TYPE", "TYPE_PROBABILITY", "AREA")

AT_ONCE = 2**14
"""Nuclei whose numbers are made float64 together, for the files."""

ROUNDING_PX = 1.0
"""Of float32 coordinates, with room: rows sent needlessly change nothing."""


class Rows:
    """The nuclei of one slide.

    What the server answered stays in the journal. In memory are, of each request, 900 bytes (60 a tile where 16 travel
    together) and once more as many from `finish` on; of each nucleus at most 100 while `finish` sorts them (200 if all
    are near a seam), and 33 afterwards.
    """

    BYTES_PER_MM2 = 10_000 * 1_300
    """Nuclei in a mm² of lymphoid tissue × bytes of one in the GeoJSON (860 on the demo slide) and in the Parquet file
    (240).
    """

    RESULT = RESULT

    def __init__(self, contract: Contract, slide_mpp: float):
        self._types = contract.names("types")
        self._slide_model = f"{contract.pipeline}_slide"
        self._mpp = slide_mpp
        self._batches: list[_Batch] = []
        self._kept: NDArray[np.int64] = np.empty(0, np.int64)
        """Which rows, counted as they came, in the order of the files."""
        self._nuclei: Outputs = {}
        self._contours = _Contours([], [], np.empty(0, np.int64))

    def more_inputs(self, tiles: Sequence[PlannedTile]) -> Arrays:
        """As PipelineRows.more_inputs."""
        return {"CORE": _cores(tiles)}

    def take(self, tiles: Sequence[PlannedTile], outputs: Outputs) -> None:
        """As PipelineRows.take."""
        _check(outputs, len(tiles), len(self._types))
        indices, cores = np.array([tile.index for tile in tiles], np.int32), _cores(tiles)
        self._batches.append(_Batch(outputs, indices, cores, len(outputs["CENTROID"])))

    def finish(self, infer: Callable[[str, Arrays], Outputs]) -> None:
        """As PipelineRows.finish.

        Rows are read where they lie, a field at a time, and only what is written of a nucleus is held afterwards: its
        outline stays where it is.
        """
        sorting = self._fields(ROW)
        # By tile, then by position: what is sent does not depend on when a row came.
        order = _order(sorting, ROW)
        keep = self._keep(order, infer)
        kept = order[keep[order]]
        kept = kept[_order({name: sorting[name][kept] for name in PLACE}, PLACE)]
        del sorting
        self._kept = kept
        self._nuclei = self._fields(WRITTEN, kept)
        self._contours = _Contours(
            [batch.outputs["CONTOUR"] for batch in self._batches],
            [batch.outputs["CONTOUR_END"] for batch in self._batches],
            kept,
        )

    def result(self, tissue_mm2: float) -> dict[str, Any]:
        """As PipelineRows.result."""
        counts = self._counts()
        types = {name: _count(int(n), tissue_mm2) for name, n in zip(self._types, counts, strict=True)}
        return {"nuclei": _count(int(counts.sum()), tissue_mm2), "types": types, "tissue_mm2": round(tissue_mm2, 6)}

    @staticmethod
    def words(result: dict[str, Any]) -> str:
        """As PipelineRows.words: how many, and how densely they lie."""
        count, density = result["nuclei"]["count"], result["nuclei"]["per_mm2"]
        number = f"{count:,} nucleus" if count == 1 else f"{count:,} nuclei"
        if density is None:
            return number
        return f"{number}, {density:,.0f}/mm²" if density >= 10 else f"{number}, {density:.2g}/mm²"

    def layers(self) -> Sequence[Layer]:
        """As PipelineRows.layers: the outlines, by centroid from top to bottom."""
        named = zip(self._types, self._counts().tolist(), strict=True)
        classes = tuple(Class(name, colour_of(i), count) for i, (name, count) in enumerate(named))
        return [Shapes(classes, self._shapes)]

    def _keep(self, order: NDArray[np.int64], infer: Callable[[str, Arrays], Outputs]) -> NDArray[np.bool_]:
        """Of each row, counted as they came, whether it is kept; only what another tile can reach is asked about."""
        inside = np.concatenate([np.empty(0), *(batch.inside() for batch in self._batches)])
        near = order[_near_seam(inside)[order]]
        keep: NDArray[np.bool_] = np.ones(len(order), np.bool_)
        if len(near):
            answer = infer(self._slide_model, self._fields(FIELDS, near))["KEEP"]
            if answer.shape != near.shape:
                raise ServerError(f"{self._slide_model} answered KEEP {answer.shape} to {len(near)} rows.")
            keep[near] = answer
        return keep

    def _shapes(self) -> Iterator[Shape]:
        contours = self._contours
        for first in range(0, len(contours), AT_ONCE):
            nuclei = {name: field[first : first + AT_ONCE] for name, field in self._nuclei.items()}
            areas, centroids = nuclei["AREA"].astype(float), nuclei["CENTROID"].astype(float)
            for i in range(len(areas)):
                measurements = {
                    "Area µm^2": round(areas[i] * self._mpp**2, 2),
                    "Area px^2": round(areas[i], 2),
                    "Type share of pixels": round(float(nuclei["TYPE_PROBABILITY"][i]), 4),
                    "Centroid X px": round(centroids[i, 0], 2),
                    "Centroid Y px": round(centroids[i, 1], 2),
                }
                yield Shape(contours[first + i], int(nuclei["TYPE"][i]) - 1, measurements)

    def _counts(self) -> NDArray[np.int64]:
        return np.bincount(self._nuclei["TYPE"], minlength=len(self._types) + 1)[1:]

    def _fields(self, names: Iterable[str], rows: NDArray[np.int64] | None = None) -> Outputs:
        """Of these rows, or of all, counted as they came; of one request after the other, so that each is met once."""
        starts = np.cumsum([0, *(batch.count for batch in self._batches)])
        count = int(starts[-1]) if rows is None else len(rows)
        fields: dict[str, NDArray[Any]] = {name: np.empty((count, *FIELDS[name][1]), FIELDS[name][0]) for name in names}
        if rows is None:
            for batch, start, end in zip(self._batches, starts, starts[1:], strict=False):
                for name, field in fields.items():
                    field[start:end] = batch.field(name)
            return fields
        places = np.argsort(rows, kind="stable")
        ends = np.searchsorted(rows[places], starts)
        for batch, start, first, end in zip(self._batches, starts, ends, ends[1:], strict=False):
            own = places[first:end]
            for name, field in fields.items():
                field[own] = batch.field(name)[rows[own] - start]
        return fields


@dataclass(frozen=True, slots=True)
class _Batch:
    """The rows of one request, wherever they lie."""

    outputs: Outputs
    indices: NDArray[np.int32]
    cores: NDArray[np.float32]
    """(tiles, 4)."""
    count: int

    def field(self, name: str) -> NDArray[Any]:
        """One of FIELDS."""
        if name == "CORE":
            return self.cores[self.outputs["TILE_INDEX"]]
        field = self.outputs[name]
        return self.indices[field] if name == "TILE_INDEX" else field

    def inside(self) -> NDArray[np.float64]:
        """Of each row, how far its box lies inside its core, in px; negative if it reaches beyond."""
        # In float64: a slide's far end in float32 is exact to a few hundredths of a pixel only.
        own, whole = self.field("BOX").astype(np.float64), self.field("CORE").astype(np.float64)
        before, behind = own[:, :2] - whole[:, :2], (whole[:, :2] + whole[:, 2:]) - (own[:, :2] + own[:, 2:])
        return np.asarray(np.minimum(before, behind).min(axis=1))


class _Contours:
    """Outlines where they lie, as if they were a list; read one at a time."""

    def __init__(
        self, points: Sequence[NDArray[np.float32]], ends: Sequence[NDArray[np.int32]], rows: NDArray[np.int64]
    ):
        """`points` and `ends` of each request, `rows` counted through all of them."""
        self._points, self._ends = points, ends
        starts = np.cumsum([0, *map(len, ends)])
        self._batches = (np.searchsorted(starts, rows, "right") - 1).astype(np.int32)
        self._own = (rows - starts[self._batches]).astype(np.int32)

    def __len__(self) -> int:
        return len(self._own)

    def __getitem__(self, i: int) -> NDArray[np.float32]:
        batch, own = self._batches[i], self._own[i]
        ends = self._ends[batch]
        return self._points[batch][ends[own - 1] if own else 0 : ends[own]]


def _cores(tiles: Sequence[PlannedTile]) -> NDArray[np.float32]:
    return np.array([tile.core for tile in tiles], np.float32)


def _count(count: int, tissue_mm2: float) -> dict[str, float | None]:
    return {"count": count, "per_mm2": round(count / tissue_mm2, 2) if tissue_mm2 > 0 else None}


def _check(outputs: Outputs, tiles: int, types: int) -> None:
    """Raises ServerError if the outputs of one request do not fit together."""
    count = len(outputs["CENTROID"])
    for name, (dtype, shape) in FIELDS.items():
        if name != "CORE" and (outputs[name].dtype != dtype or outputs[name].shape != (count, *shape)):
            raise _unfit(f"{name} {outputs[name].dtype} {outputs[name].shape} beside {count} centroids")
    steps = np.diff(outputs["CONTOUR_END"], prepend=0)
    if len(steps) != count or (steps < 1).any() or steps.sum() != len(outputs["CONTOUR"]):
        raise _unfit(f"CONTOUR_END of {len(steps)} contours that do not divide {len(outputs['CONTOUR'])} vertices")
    if ((outputs["TILE_INDEX"] < 0) | (outputs["TILE_INDEX"] >= tiles)).any():
        raise _unfit(f"a TILE_INDEX outside a request of {tiles} tiles")
    if ((outputs["TYPE"] < 1) | (outputs["TYPE"] > types)).any():
        raise _unfit(f"a TYPE outside 1 to {types}")


def _unfit(what: str) -> ServerError:
    return ServerError(f"nuclei_tiles answered {what}. Serve a model repository of this version.")


def _order(nuclei: Outputs, names: Sequence[str]) -> NDArray[np.int64]:
    """Sorts by these fields; positions count by y, then by x."""
    keys: list[NDArray[Any]] = []
    for name in names:
        field = nuclei[name]
        keys.extend([field] if field.ndim == 1 else [field[:, 1], field[:, 0], *field[:, 2:].T])
    return np.lexsort(keys[::-1])


def _near_seam(inside: NDArray[np.float64]) -> NDArray[np.bool_]:
    """How far each box lies inside its own core → which rows another tile's row can lie on.

    Those whose boxes come as near to their own core's border as any box reaches beyond its own: whatever lies on this
    row from outside does not reach farther in.
    """
    return np.asarray(inside <= max(0.0, -inside.min(initial=0.0)) + ROUNDING_PX)
