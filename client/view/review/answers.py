"""What is answered of a training set."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from histoserve.client.errors import HistoserveError
from histoserve.client.labels.decide import DecidedMeanwhile, Review
from histoserve.client.labels.label import Label
from histoserve.client.view import query
from histoserve.client.view.review.asked import Asked, asked_in

STAINS = ("he", "ihc")


class ReviewAnswers:
    """JSON and pictures; the addresses stand in `review/app`."""

    def __init__(self, review: Review, anonymous: bool, remark: Callable[[str], None]):
        self._review = review
        self._anonymous = anonymous
        self._remark = remark
        self._lock = threading.Lock()

    async def tiles(self, request: Request) -> Response:
        """All, as they stand in the file now."""
        try:
            labels = await run_in_threadpool(self._labels)
        except HistoserveError as error:
            return self._trouble(error)
        return _json({"tiles": [self._described(label) for label in labels]})

    async def picture(self, request: Request) -> Response:
        """PNG."""
        key = request.path_params["pair"], request.path_params["tile"]
        stain = query.choice(request.path_params["stain"], STAINS, "")
        path = await run_in_threadpool(self._picture, key, stain)
        return Response(path, media_type="image/png")

    async def decide(self, request: Request) -> Response:
        """Writes one decision, or says why not; who may ask the guard has looked at."""
        asked = await asked_in(request)
        try:
            label = await run_in_threadpool(self._decided, asked)
        except DecidedMeanwhile as error:
            return _json({"code": "meanwhile", "tile": self._described(error.label)}, 409)
        except HistoserveError as error:
            return self._trouble(error)
        return _json({"tile": self._described(label)})

    def _labels(self) -> Sequence[Label]:
        with self._lock:
            return self._review.labels()

    def _decided(self, asked: Asked) -> Label:
        with self._lock:
            return self._review.decide(asked.key, asked.was, asked.decision)

    def _picture(self, key: tuple[int, int], stain: str) -> bytes:
        with self._lock:
            path = self._review.picture(key, stain)
        if path is None:
            raise query.not_found()
        try:
            return path.read_bytes()
        except OSError as error:
            self._remark(f"{path.name} of pair {key[0]} cannot be read: {error.strerror}.")
            raise query.not_found() from error

    def _trouble(self, error: HistoserveError) -> Response:
        """Nothing was written; the person at the page can mend the file."""
        self._remark(str(error))
        return _json({"code": "file", "detail": "" if self._anonymous else str(error)}, 409)

    def _described(self, label: Label) -> dict[str, Any]:
        pair, tile = label.pair, label.tile
        names = {} if self._anonymous else {"he": pair.he.name, "ihc": pair.ihc.name}
        return {
            **{"pair": pair.number, "tile": tile.number, "marker": pair.marker, **names},
            **{"positive": tile.positive, "negative": tile.negative, "reading": tile.reading},
            **{"residual_um": tile.residual_um, "side_um": pair.tile_px * pair.mpp},
            **{"decision": label.decision.value, "reason": tile.reason},
        }


def _json(content: Any, code: int = 200) -> Response:
    return Response(orjson.dumps(content), code, media_type="application/json")
