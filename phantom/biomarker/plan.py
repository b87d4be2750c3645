"""What a slide of kind "biomarker" holds, by its seed and by what is asked for."""

from histoserve.phantom.biomarker.markers import MARKERS, Expression
from histoserve.phantom.biomarker.section import Section
from histoserve.phantom.biomarker.slide import BiomarkerSlide
from histoserve.phantom.biomarker.tissue import BiomarkerTissue


def biomarker_slide(
    size: tuple[int, int], mpp: float, seed: int, *, share: str | None = None, stains: str = "training"
) -> BiomarkerSlide:
    """The slide of a seed (width, height in pixels; µm per pixel).

    `share` is the part of the tissue that holds tumour nests, 0-1, drawn by the seed if not given; `stains` names one
    of `lesion.stains.RANGES`. ValueError for a range or number that there is not.
    """
    return BiomarkerSlide(Section(tissue_of(size, mpp, seed, share), Expression(seed), size, mpp), stains)


def tissue_of(size: tuple[int, int], mpp: float, seed: int, share: str | None) -> BiomarkerTissue:
    """The tissue that a slide of this size shows."""
    chosen = None if share is None else part("share", share)
    return BiomarkerTissue(seed, (size[0] * mpp, size[1] * mpp), chosen)


def check_marker(marker: str) -> None:
    """ValueError for one that there is not."""
    if marker not in MARKERS:
        raise ValueError(f"no marker is called {marker!r}: choose one of {', '.join(MARKERS)}")


def part(name: str, value: str) -> float:
    """A number from 0 to 1; ValueError for another."""
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not 0 <= number <= 1:
        raise ValueError(f"{name} is a part from 0 to 1, but it is {value!r}")
    return number
