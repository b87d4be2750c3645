"""The layers of a result, opened in the background: the page is there at once and asks how far it is."""

import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Protocol

from histoserve.client.results.layers_json import Saved
from histoserve.client.view.problem import Problem
from histoserve.client.view.result import Result


class Found(Protocol):
    """As layers/found."""

    @property
    def name(self) -> str:
        """Of the thing, or of its class or layer."""

    @property
    def numbers(self) -> Mapping[str, float]:
        """What was measured."""

    @property
    def l0_outline(self) -> list[list[float]]:
        """[[x, y], …]."""


class DrawnLayer(Protocol):
    """As layers/drawn; several threads may draw at a time."""

    def tile(self, z: int, x: int, y: int, of: frozenset[int] | None, least: float | None) -> bytes:
        """As PNG, with the classes `of`, or all, and no values below `least`."""

    def at(self, l0_x: float, l0_y: float) -> Sequence[Found]:
        """What lies there."""


OpenLayers = Callable[[Saved, Path, str, tuple[int, int], Path, Callable[[str, float], None]], Mapping[str, DrawnLayer]]
"""As layers/drawn.open_layers."""


class OpenedLayers:
    """Of one result."""

    def __init__(self, result: Result):
        self._result = result
        self.ready = False
        """Whether `drawn` is what it will be."""
        self.doing, self.share = "", 0.0
        self.problem: Problem | None = None
        self.drawn: Mapping[str, DrawnLayer] = {}
        """By the layer's id."""

    def open(self, open_layers: OpenLayers, cache: Path, remark: Callable[[str], None]) -> None:
        """Takes minutes for a million shapes of which there is no index yet."""
        result = self._result

        def watch(words: str, share: float) -> None:
            if str(cache) in words:
                # A place of this machine is nothing for the page.
                remark(words)
            else:
                self.doing, self.share = words, share

        try:
            self.drawn = open_layers(result.saved, result.folder, result.pipeline, result.slide.l0_size, cache, watch)
        except Exception as error:
            # Whatever is wrong with one result: the others are shown.
            self.problem = Problem("geojson", result.pipeline, _said(error, result))
            remark(f"{result.folder}: {self.problem.detail}")
        self.doing, self.share, self.ready = "", 1.0, True


class Opener:
    """Opens layers one result after the other, on a thread that ends with the process whatever it is doing."""

    def __init__(self, open_layers: OpenLayers, cache: Path, remark: Callable[[str], None]):
        self._waiting: SimpleQueue[weakref.ref[OpenedLayers]] = SimpleQueue()
        self._how = open_layers, cache, remark
        threading.Thread(target=self._work, name="layers", daemon=True).start()

    def put(self, layers: OpenedLayers) -> None:
        """To be opened, unless nobody looks at them any more when it is their turn."""
        self._waiting.put(weakref.ref(layers))

    def _work(self) -> None:
        while True:
            layers = self._waiting.get()()
            if layers is not None:
                layers.open(*self._how)
            # Else they would be held until others come.
            del layers


def _said(error: Exception, result: Result) -> str:
    if isinstance(error, ValueError):
        return str(error).replace(f"{result.folder}/", "")
    if isinstance(error, OSError):
        return f"{Path(error.filename or '').name} cannot be used: {error.strerror}."
    return f"Its layers cannot be shown ({type(error).__name__}): analyse the slide again."
