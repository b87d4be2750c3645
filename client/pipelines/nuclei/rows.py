"""Nuclei: the rows of the tiles, one of each nucleus that two tiles saw, and what is written of them."""

from collections.abc import Callable, Iterator, Sequence
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

ROUNDING_PX = 1.0
"""Of float32 coordinates, with room: rows sent needlessly change nothing."""


class Rows:
    """The nuclei of one slide."""

    BYTES_PER_MM2 = 10_000 * 1_000
    """Nuclei in a mm² of lymphoid tissue × bytes of one in the GeoJSON (860 on the demo slide)."""

    RESULT = RESULT

    def __init__(self, contract: Contract, slide_mpp: float):
        self._types = contract.names("types")
        self._slide_model = f"{contract.pipeline}_slide"
        self._mpp = slide_mpp
        self._batches: list[Outputs] = []
        self._nuclei = _joined([])

    def request(self, tiles: Sequence[PlannedTile], images: Sequence[bytes]) -> Arrays:
        """As PipelineRows.request."""
        regions = np.array([tile.region for tile in tiles], np.float32)
        return {
            "TILE": images,
            "REGION": regions,
            "WINDOW": regions,
            "MPP": np.array([self._mpp], np.float32),
            "CORE": np.array([tile.core for tile in tiles], np.float32),
        }

    def take(self, tiles: Sequence[PlannedTile], outputs: Outputs) -> None:
        """As PipelineRows.take."""
        _check(outputs, len(tiles), len(self._types))
        place = outputs["TILE_INDEX"]
        self._batches.append(
            {
                **outputs,
                "TILE_INDEX": np.array([tile.index for tile in tiles], np.int32)[place],
                "CORE": np.array([tile.core for tile in tiles], np.float32)[place],
            }
        )

    def finish(self, infer: Callable[[str, Arrays], Outputs]) -> None:
        """As PipelineRows.finish."""
        nuclei = _joined(self._batches)
        # By tile, then by position: what is sent does not depend on when a row came.
        order = _order(nuclei, ["TILE_INDEX", "CENTROID", "BOX", "TYPE", "AREA"])
        near = _near_seam(nuclei["BOX"][order], nuclei["CORE"][order])
        keep = ~near
        if near.any():
            answer = infer(self._slide_model, {name: nuclei[name][order[near]] for name in FIELDS})["KEEP"]
            if answer.shape != (int(near.sum()),):
                raise ServerError(f"{self._slide_model} answered KEEP {answer.shape} to {near.sum()} rows.")
            keep[near] = answer
        kept = _select(nuclei, order[keep])
        self._nuclei = _select(kept, _order(kept, ["CENTROID", "BOX", "TILE_INDEX"]))

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

    def _shapes(self) -> Iterator[Shape]:
        nuclei = self._nuclei
        areas, centroids = nuclei["AREA"].astype(float), nuclei["CENTROID"].astype(float)
        contours = self._contours()
        for i in range(len(contours)):
            measurements = {
                "Area µm^2": round(areas[i] * self._mpp**2, 2),
                "Area px^2": round(areas[i], 2),
                "Type share of pixels": round(float(nuclei["TYPE_PROBABILITY"][i]), 4),
                "Centroid X px": round(centroids[i, 0], 2),
                "Centroid Y px": round(centroids[i, 1], 2),
            }
            yield Shape(contours[i], int(nuclei["TYPE"][i]) - 1, measurements)

    def _counts(self) -> NDArray[np.int64]:
        return np.bincount(self._nuclei["TYPE"], minlength=len(self._types) + 1)[1:]

    def _contours(self) -> "_Contours":
        return _Contours(self._nuclei["CONTOUR"], self._nuclei["CONTOUR_END"])


@dataclass(frozen=True)
class _Contours:
    """Contours one behind the other, as if they were a list."""

    points: NDArray[np.float32]
    ends: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, i: int) -> NDArray[np.float32]:
        return self.points[self.ends[i - 1] if i else 0 : self.ends[i]]


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


def _joined(batches: Sequence[Outputs]) -> Outputs:
    """The rows of several requests one behind the other, CONTOUR_END as int64."""
    joined: Outputs = {
        name: np.concatenate([np.empty((0, *shape), dtype), *(batch[name] for batch in batches)])
        for name, (dtype, shape) in FIELDS.items()
    }
    joined["CONTOUR"] = np.concatenate([np.empty((0, 2), np.float32), *(batch["CONTOUR"] for batch in batches)])
    lengths = [np.diff(batch["CONTOUR_END"].astype(np.int64), prepend=0) for batch in batches]
    joined["CONTOUR_END"] = np.cumsum(np.concatenate([np.empty(0, np.int64), *lengths]))
    return joined


def _select(nuclei: Outputs, rows: NDArray[np.int64]) -> Outputs:
    """These rows in this order, with their contours."""
    selected = {name: nuclei[name][rows] for name in FIELDS}
    ends = nuclei["CONTOUR_END"]
    lengths = np.diff(ends, prepend=0)[rows]
    selected["CONTOUR_END"] = np.cumsum(lengths)
    # From the place of each vertex in the selection to its place before: constant within a contour.
    shifts = ends[rows] - selected["CONTOUR_END"]
    selected["CONTOUR"] = nuclei["CONTOUR"][np.arange(lengths.sum()) + np.repeat(shifts, lengths)]
    return selected


def _order(nuclei: Outputs, names: Sequence[str]) -> NDArray[np.int64]:
    """Sorts by these fields; positions count by y, then by x."""
    keys: list[NDArray[Any]] = []
    for name in names:
        field = nuclei[name]
        keys.extend([field] if field.ndim == 1 else [field[:, 1], field[:, 0], *field[:, 2:].T])
    return np.lexsort(keys[::-1])


def _near_seam(box: NDArray[np.float32], core: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(M, 4) and (M, 4) → which rows another tile's row can lie on.

    Those whose boxes come as near to their own core's border as any box reaches beyond its own: whatever lies on this
    row from outside does not reach farther in.
    """
    # In float64: a slide's far end in float32 is exact to a few hundredths of a pixel only.
    own, whole = box.astype(np.float64), core.astype(np.float64)
    before, behind = own[:, :2] - whole[:, :2], (whole[:, :2] + whole[:, 2:]) - (own[:, :2] + own[:, 2:])
    inside = np.minimum(before, behind).min(axis=1)
    return np.asarray(inside <= max(0.0, -inside.min(initial=0.0)) + ROUNDING_PX)
