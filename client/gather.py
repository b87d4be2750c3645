"""From the files and folders that a user names to slides.

    a.svs folder/ ─▶ a.svs, folder/b.ndpi, folder/c.tiff

Of a folder, what stands in it and ends as slides do; folders in it are not looked into, for results may lie there,
whose pictures are no slides.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from histoserve.client.errors import SlideError, WrongUsage
from histoserve.client.formats.dicom import series_of
from histoserve.client.results.source import folder_of
from histoserve.client.slide import printable

DICOM = ".dcm"
ENDINGS = {
    *(".bif", ".czi", DICOM, ".mrxs", ".ndpi", ".scn", ".svs", ".svslide", ".tif", ".tiff", ".vms", ".vmu"),
    *(".jpeg", ".jpg", ".png"),
}
"""Of the files in a folder that are taken for slides, whatever is in them: a damaged one is told, not passed over."""

SHOWN = 3
"""Of the names of what was passed over."""


def gather(named: Sequence[Path], remark: Callable[[str], None]) -> list[Path]:
    """Each slide once, in the order given, those of a folder by name; `remark` is told what was passed over.

    Raises WrongUsage if there is none, or the results of two would lie in one folder; SlideError for a folder that
    cannot be read.
    """
    slides: dict[bytes | Path, Path] = {}
    for each in named:
        for file in _in_folder(each, remark) if each.is_dir() else [each]:
            slide = slides.setdefault(_key(file), file)
            # Of the files of one DICOM slide the largest: its finest level, through which the others are found.
            if _size(file) > _size(slide):
                slides[_key(file)] = file
    if not slides:
        raise WrongUsage("No slide was named: give the files of slides, or folders of them.")
    _require_own_folders(slides.values())
    return list(slides.values())


def _in_folder(folder: Path, remark: Callable[[str], None]) -> list[Path]:
    try:
        entries = sorted(each for each in folder.iterdir() if not each.name.startswith("."))
    except OSError as error:
        raise SlideError(f"The folder {printable(folder)} cannot be read: {error.strerror}.") from error
    slides = [each for each in entries if each.suffix.lower() in ENDINGS and not each.is_dir()]
    # A slide's further files stand in a folder of its name.
    folders = [each for each in entries if each.is_dir() and each.name not in {slide.stem for slide in slides}]
    others = [each for each in entries if each.suffix.lower() not in ENDINGS and not each.is_dir()]
    passed = [*([f"the folders in it ({_few(folders)})"] if folders else []), *([_few(others)] if others else [])]
    if not slides:
        raise WrongUsage(
            f"The folder {printable(folder)} holds no slide, by the ending of its files' names"
            f"{'; it was not looked into ' + _few(folders) + ': name the folders themselves' if folders else ''}."
        )
    if passed:
        remark(f"{printable(folder)}: {_slides(len(slides))}; passed over {' and '.join(passed)}.")
    return slides


def _key(file: Path) -> bytes | Path:
    """What all files of a slide have in common."""
    try:
        return (file.suffix.lower() == DICOM and series_of(file)) or file.resolve()
    except OSError:
        return file


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _require_own_folders(slides: Iterable[Path]) -> None:
    by_folder: dict[str, Path] = {}
    for slide in slides:
        other = by_folder.setdefault(folder_of(slide), slide)
        if other is not slide:
            raise WrongUsage(
                f"{printable(other)} and {printable(slide)} would both have their results in OUT/{folder_of(slide)}/. "
                "Analyse them in two calls, each with its own -o."
            )


def _few(paths: Sequence[Path]) -> str:
    names = [printable(path.name) for path in paths]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"


def _slides(count: int) -> str:
    return "1 slide" if count == 1 else f"{count} slides"
