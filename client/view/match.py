"""The file of a slide: a result knows the slide's name, size, µm/px and a digest, not its place."""

import math
import os
import unicodedata
from collections.abc import Collection, Iterator
from pathlib import Path

from histoserve.client.errors import HistoserveError, SlideError, WrongUsage
from histoserve.client.resolution import resolve
from histoserve.client.results.source import source_of
from histoserve.client.slide import Slide, open_slide, printable
from histoserve.client.view.result import SlideSaid

MPP_TOLERANCE = 0.01
"""A converted copy may state a rounded one."""


class OtherSlide(SlideError):
    """A file that is not the slide of the results, though it was named or bears its name."""


def candidates(place: Path, names: Collection[str]) -> dict[str, list[Path]]:
    """For each of `names`, the files that may be it: `place` itself, or files in that folder and those in it.

    Raises WrongUsage if it is not there.
    """
    if place.is_dir():
        wanted: dict[str, list[Path]] = {}
        found = {name: wanted.setdefault(_composed(name), []) for name in names}
        for file in _files(place):
            wanted.get(_composed(printable(file.name)), []).append(file)
        return found
    if not place.exists():
        raise WrongUsage(f"--slide {printable(place)} does not exist; give the slide's file or a folder of slides.")
    return {name: [place] for name in names}


def _files(place: Path) -> Iterator[Path]:
    """In the folder, and in those in it, linked ones too, each once."""
    seen: set[str] = set()
    for folder, folders, files in os.walk(place, followlinks=True):
        if os.path.realpath(folder) in seen:
            folders.clear()
            continue
        seen.add(os.path.realpath(folder))
        folders.sort()
        yield from (Path(folder, file) for file in sorted(files))


def _composed(name: str) -> str:
    """One spelling: a disk may keep ü as u and two dots."""
    return unicodedata.normalize("NFC", name)


def open_matching(files: Collection[Path], said: SlideSaid) -> tuple[Slide, bool]:
    """The first that is the slide, one with the same bytes if there is one, and whether its bytes are the same.

    Raises OtherSlide, which says in what the first one differs; SlideError for what cannot be opened.
    """
    same = {file: _same_bytes(file, said) for file in files}
    errors: list[HistoserveError] = []
    for file in sorted(files, key=lambda file: not same[file]):
        try:
            return _open(file, said, same[file]), same[file]
        except HistoserveError as error:
            errors.append(error)
    raise errors[0]


def _same_bytes(file: Path, said: SlideSaid) -> bool:
    try:
        return source_of(file).content == said.content
    except SlideError:
        return False


def _open(file: Path, said: SlideSaid, same_bytes: bool) -> Slide:
    slide = open_slide(file)
    difference = None if same_bytes and slide.l0_size == said.l0_size else _difference(slide, said)
    if difference is None:
        return slide
    slide.close()
    raise OtherSlide(f"{printable(file)} is not the slide that was analysed: {difference}.")


def _difference(slide: Slide, said: SlideSaid) -> str | None:
    """None for the same slide, as far as its name, size and µm/px tell."""
    if _composed(slide.name) != _composed(said.name):
        return f"that one is called {said.name}, and its bytes are others"
    if slide.l0_size != said.l0_size:
        return f"it has {_px(slide.l0_size)}, that one {_px(said.l0_size)}"
    if said.mpp_given or said.mpp is None:
        return None
    try:
        mpp = resolve(slide.name, None, slide.stated_mpp, None).mpp
    except SlideError:
        return f"it states no usable µm/px, that one {said.mpp:g} µm/px"
    return (
        None
        if math.isclose(mpp, said.mpp, rel_tol=MPP_TOLERANCE)
        else f"it has {mpp:g} µm/px, that one {said.mpp:g} µm/px"
    )


def _px(size: tuple[int, int]) -> str:
    return f"{size[0]}×{size[1]} px"
