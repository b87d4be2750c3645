"""What a slide of kind "ihc" holds, by its seed and by what is asked for."""

from histoserve.phantom.biomarker.markers import MARKERS, Expression
from histoserve.phantom.biomarker.section import Section
from histoserve.phantom.biomarker.tissue import BiomarkerTissue
from histoserve.phantom.ihc.dyes import dyes
from histoserve.phantom.ihc.pigment import PIGMENT
from histoserve.phantom.ihc.slide import IhcSlide
from histoserve.phantom.noise import hashed_one

_DRAW = 2120
_PIGMENT = (0.0, 0.02, 160.0)
"""Least and most of the tissue that holds grains of pigment, and size of a patch, µm."""


def ihc_slide(
    size: tuple[int, int],
    mpp: float,
    seed: int,
    *,
    marker: str = "ki67",
    level: str | None = None,
    share: str | None = None,
    stains: str = "training",
) -> IhcSlide:
    """The slide of a seed (width, height in pixels; µm per pixel), stained for a marker of `markers.MARKERS`.

    `level` is the share of the tumour cells that express it but for hot spots, `share` the part of the tissue that holds
    tumour nests, both 0-1 and drawn by the seed if not given; `stains` names one of `lesion.stains.RANGES`. ValueError
    for a marker, range or number that there is not.
    """
    check_marker(marker)
    levels = {} if level is None else {marker: part("level", level)}
    tissue = BiomarkerTissue(seed, (size[0] * mpp, size[1] * mpp), None if share is None else part("share", share))
    return stained_for(marker, Section(tissue, Expression(seed, levels), size, mpp), stains)


def stained_for(marker: str, section: Section, stains: str) -> IhcSlide:
    """The section, stained for a marker."""
    tissue = section.tissue
    least, most, patch = _PIGMENT
    share = max(0.0, least + (1.25 * hashed_one(tissue.seed, _DRAW, 0, 0) - 0.25) * (most - least))
    tissue.areas = tissue.areas | {PIGMENT: tissue.places.area(PIGMENT, share, patch)}
    level = round(section.expression.levels[marker], 4)
    facts = {"marker": marker, "level": level, "share_of_tissue": round(tissue.share, 4), "stains": stains}
    return IhcSlide(section, marker, dyes(tissue.sown, stains), facts)


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
