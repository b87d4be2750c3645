"""What is answered at each address that shows a slide."""

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from histoserve.client.view import query
from histoserve.client.view.anonymous import Names
from histoserve.client.view.beside import Matrix, link
from histoserve.client.view.description import describe
from histoserve.client.view.open_slides import OpenSlide, OpenSlides
from histoserve.client.view.opened import OpenedLayers
from histoserve.client.view.pages import READERS
from histoserve.client.view.work import Work
from histoserve.client.view.zoom import tile_at

WAIT = {"Retry-After": "1"}
"""Seconds, while a result's layers are being opened."""


class Answers:
    """Tiles and JSON; the addresses stand in `app`."""

    def __init__(self, slides: OpenSlides, names: Names, registration: Matrix | None):
        self._slides = slides
        self._names = names
        self._registration = registration
        self._work = Work()

    async def description(self, request: Request) -> Response:
        """Of a slide."""
        return _json(describe(await self._opened(request.path_params["n"]), self._names))

    async def beside(self, request: Request) -> Response:
        """Of two, and how they lie to each other."""
        numbers = request.path_params["a"], request.path_params["b"]
        if numbers[0] == numbers[1]:
            raise query.not_found()
        opened = [await self._opened(number) for number in numbers]
        linked = link((opened[0].slide.said, opened[1].slide.said), self._registration, numbers[0] > numbers[1])
        mpp = [each.slide.said.mpp for each in opened]
        return _json({"slides": [describe(each, self._names) for each in opened], "mpp": mpp, **linked.described()})

    async def slide_tile(self, request: Request) -> Response:
        """JPEG."""
        n, z, x, y = (request.path_params[name] for name in ("n", "z", "x", "y"))
        tile = tile_at(self._size(n), z, x, y)
        if tile is None:
            raise query.not_found()
        plain = query.choice(query.one(request.query_params, "for"), READERS, READERS[0]) != READERS[0]
        opened = await self._opened(n)
        key = "slide", n, z, x, y, plain
        made = await self._work.made(key, lambda: opened.background.jpeg(tile, plain), request)
        return Response(made, media_type="image/jpeg")

    async def layer_tile(self, request: Request) -> Response:
        """PNG."""
        n, r, z, x, y = (request.path_params[name] for name in ("n", "r", "z", "x", "y"))
        name = request.path_params["l"]
        if tile_at(self._size(n), z, x, y) is None or r >= len(self._slides.slides[n].results):
            raise query.not_found()
        said = next((each for each in self._slides.slides[n].results[r].layers if each["id"] == name), None)
        if said is None:
            raise query.not_found()
        of = query.classes(query.one(request.query_params, "of"), len(said.get("classes", ())))
        least = query.one(request.query_params, "from")
        threshold = None if least is None else query.real(least)
        layers = (await self._opened(n)).layers[r]
        if not layers.ready:
            return Response(status_code=503, headers=WAIT)
        drawn = layers.drawn.get(name)
        if drawn is None:
            raise query.not_found()
        key = "layer", n, r, name, z, x, y, of, threshold
        made = await self._work.made(key, lambda: (drawn.tile(z, x, y, of, threshold), True), request)
        return Response(made, media_type="image/png")

    async def at(self, request: Request) -> Response:
        """What lies at a place of a slide, by one of its results."""
        n = request.path_params["n"]
        size = self._size(n)
        x, y = (query.real(query.one(request.query_params, name)) for name in ("x", "y"))
        r = query.count(query.one(request.query_params, "r"))
        if not (0 <= x <= size[0] and 0 <= y <= size[1]) or r >= len(self._slides.slides[n].results):
            raise query.not_found()
        opened = await self._opened(n)
        layers = opened.layers[r]
        if not layers.ready:
            return Response(status_code=503, headers=WAIT)
        found = await self._work.do(lambda: _found(layers, x, y))
        return _json(self._names.hidden({"found": found}, opened.slide))

    def stop(self) -> None:
        """No more is made."""
        self._work.stop()

    def _size(self, n: int) -> tuple[int, int]:
        if n >= len(self._slides.slides):
            raise query.not_found()
        return self._slides.slides[n].said.l0_size

    async def _opened(self, n: int) -> OpenSlide:
        self._size(n)
        held = self._slides.held(n)
        return held if held else await self._work.do(lambda: self._slides.get(n))


def _found(layers: OpenedLayers, l0_x: float, l0_y: float) -> list[Mapping[str, Any]]:
    return [
        {"layer": name, "name": each.name, "numbers": dict(each.numbers), "outline": each.l0_outline}
        for name, layer in layers.drawn.items()
        for each in layer.at(l0_x, l0_y)
    ]


def _json(content: Any) -> Response:
    # Numbers that JSON does not have become null.
    made = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
    return Response(made, media_type="application/json")
