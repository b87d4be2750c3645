"""The slides that are looked at now: opened when first asked for, few at a time."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from histoserve.client.view.background import Background
from histoserve.client.view.opened import OpenedLayers, Opener, OpenLayers
from histoserve.client.view.slides import SlideOnPage

AT_ONCE = 4
"""A plain image takes up to 0.8 GB."""


class OpenSlide:
    """One slide with all that its page needs."""

    def __init__(self, slide: SlideOnPage, files: Sequence[Path] | None):
        self.slide = slide
        self.background = Background(slide, files)
        self.layers = [OpenedLayers(result) for result in slide.results]
        """Of each result, opened in the background."""


class OpenSlides:
    """Several threads may ask at a time; what nobody asks for any more is closed when the last one lets go of it."""

    def __init__(
        self,
        slides: Sequence[SlideOnPage],
        files: Mapping[str, Sequence[Path]] | None,
        open_layers: OpenLayers,
        cache: Path,
        remark: Callable[[str], None],
    ):
        """`files`: for a slide's name, what may be it; None if the user named none."""
        self.slides = slides
        self._files = files
        self._remark = remark
        self._opener = Opener(open_layers, cache, remark)
        self._held: OrderedDict[int, OpenSlide] = OrderedDict()
        self._locks = [threading.Lock() for _ in slides]
        self._lock = threading.Lock()

    def get(self, number: int) -> OpenSlide:
        """Slide `number`, opened if it is not."""
        with self._locks[number]:
            held = self.held(number) or self._opened(self.slides[number])
            with self._lock:
                self._held[number] = held
                while len(self._held) > AT_ONCE:
                    self._held.popitem(last=False)
        return held

    def held(self, number: int) -> OpenSlide | None:
        """Slide `number` if it is open."""
        with self._lock:
            if number in self._held:
                self._held.move_to_end(number)
            return self._held.get(number)

    def _opened(self, slide: SlideOnPage) -> OpenSlide:
        opened = OpenSlide(slide, None if self._files is None else self._files.get(slide.said.name, []))
        for note in opened.background.notes:
            if "detail" in note:
                self._remark(note["detail"])
        for layers in opened.layers:
            self._opener.put(layers)
        return opened
