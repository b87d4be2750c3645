"""Stained cells: the rows of the tiles, the tumour cells that count, and what is written of them."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.contract import Contract
from histoserve.client.errors import ServerError
from histoserve.client.pipelines.ihc.schema import RESULT
from histoserve.client.pipelines.nuclei.rows import FIELDS
from histoserve.client.pipelines.nuclei.rows import Rows as NucleiRows
from histoserve.client.results.layers import Class, Layer, Shape, Shapes
from histoserve.client.results.outline import parts_of
from histoserve.client.wire import Arrays, Outputs

TYPES = 4
"""Negative and positive tumour cells, then negative and positive others."""

REGION, POSITIVE, NEGATIVE, NOT_COUNTED = range(4)
CLASSES = (
    ("lesion region", (235, 170, 0)),
    ("positive tumour cell", (190, 60, 20)),
    ("negative tumour cell", (40, 90, 200)),
    ("not counted", (130, 130, 130)),
)
"""As the stains are: brown and blue."""


class Rows(NucleiRows):
    """The cells of one stained slide, found as nuclei are."""

    RESULT = RESULT

    def __init__(self, contract: Contract, slide_mpp: float):
        """Raises ServerError for a network that does not tell these cells apart."""
        super().__init__(contract, slide_mpp)
        if len(self._types) != TYPES:
            raise ServerError(
                f"The server's pipeline {contract.pipeline} has the types {', '.join(self._types)}; wanted {TYPES}: "
                "negative and positive tumour cells, then negative and positive others. Export another network."
            )
        self._counted: NDArray[np.bool_] = np.empty(0, np.bool_)
        """Of each row, counted as they came."""
        self._count = (0, 0)
        self._squares: NDArray[np.float32] = np.empty((0, 4), np.float32)

    def result(self, tissue_mm2: float) -> dict[str, Any]:
        """As PipelineRows.result; `ratio` is null where no tumour was found."""
        positive, negative = self._count
        types = dict(zip(self._types, self._counts().tolist(), strict=True))
        return {
            "ratio": round(positive / (positive + negative), 6) if positive + negative else None,
            "positive": positive,
            "negative": negative,
            "region_mm2": round(float(self._squares[:, 2:].astype(float).prod(axis=1).sum()) * self._mpp**2 / 1e6, 6),
            "cells": types,
            "tissue_mm2": round(tissue_mm2, 6),
        }

    @staticmethod
    def words(result: dict[str, Any]) -> str:
        """As PipelineRows.words: the ratio, and of how many cells it is one."""
        if result["ratio"] is None:
            return "no reading: no tumour found"
        cells = result["positive"] + result["negative"]
        number = f"{cells:,} tumour cell" if cells == 1 else f"{cells:,} tumour cells"
        return f"{result['ratio']:.1%} positive, {result['positive']:,} of {number}"

    def layers(self) -> Sequence[Layer]:
        """As PipelineRows.layers: the lesion region, then the cells by what they count for."""
        region, of = list(self._region()), self._of()
        counts = [len(region), *np.bincount(of, minlength=len(CLASSES))[1:].tolist()]
        classes = tuple(Class(name, colour, count) for (name, colour), count in zip(CLASSES, counts, strict=True))

        def each() -> Iterator[Shape]:
            yield from region
            for shape, number in zip(self._shapes(), of.tolist(), strict=True):
                yield shape._replace(of=number)

        return [Shapes(classes, each)]

    def _keep(self, order: NDArray[np.int64], infer: Callable[[str, Arrays], Outputs]) -> NDArray[np.bool_]:
        """All rows are asked about: the region depends on every cell."""
        keep, self._counted = np.zeros((2, len(order)), np.bool_)
        self._count, self._squares = (0, 0), np.empty((0, 4), np.float32)
        if len(order):
            asked = {**self._fields(FIELDS, order), "MPP": np.array([self._mpp], np.float32)}
            answer = infer(self._slide_model, asked)
            self._check_answer(answer, len(order))
            keep[order], self._counted[order] = answer["KEEP"], answer["COUNTED"]
            self._count = int(answer["COUNT"][0]), int(answer["COUNT"][1])
            self._squares = answer["REGION"]
        return keep

    def _check_answer(self, answer: Outputs, rows: int) -> None:
        wanted = {"KEEP": (rows,), "COUNTED": (rows,), "COUNT": (2,), "REGION": (len(answer["REGION"]), 4)}
        for name, shape in wanted.items():
            if answer[name].shape != shape:
                raise ServerError(f"{self._slide_model} answered {name} {answer[name].shape} to {rows} rows.")
        if answer["COUNT"].min() < 0 or answer["COUNT"].sum() != answer["COUNTED"].sum():
            raise ServerError(
                f"{self._slide_model} answered COUNT {answer['COUNT'].tolist()} beside {answer['COUNTED'].sum()} rows "
                "that count. Serve a model repository of this version."
            )

    def _of(self) -> NDArray[np.int64]:
        """The class of each kept cell."""
        of = np.where(self._nuclei["TYPE"] % 2 == 0, POSITIVE, NEGATIVE)
        return np.where(self._counted[self._kept], of, NOT_COUNTED)

    def _region(self) -> Iterator[Shape]:
        """Its parts, by rows."""
        if not len(self._squares):
            return
        side = self._squares[0, 2:].astype(float)
        places = np.rint(self._squares[:, :2] / side).astype(np.int64)
        first = places.min(axis=0)
        inside = np.zeros(tuple(np.ptp(places, axis=0)[::-1] + 1), np.bool_)
        inside[tuple((places - first).T[::-1])] = True
        for part in parts_of(inside):
            squares = [cv2.contourArea(ring.astype(np.int32)) for ring in part]
            mm2 = (squares[0] - sum(squares[1:])) * side.prod() * self._mpp**2 / 1e6
            outline, *holes = (((ring + first) * side).astype(np.float32) for ring in part)
            yield Shape(outline, REGION, {"Area mm^2": round(mm2, 6)}, None, holes)
