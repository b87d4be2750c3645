"""A section of tissue, stained for a marker: of kind "ihc" alone, or the second of a pair.

Apart from `plan`, which needs the kind "biomarker", which needs this.
"""

from histoserve.phantom.biomarker.section import Section
from histoserve.phantom.ihc.dyes import dyes
from histoserve.phantom.ihc.pigment import PIGMENT
from histoserve.phantom.ihc.slide import IhcSlide
from histoserve.phantom.noise import hashed_one

_DRAW = 2120
_PIGMENT = (0.0, 0.02, 160.0)
"""Least and most of the tissue that holds grains of pigment, and size of a patch, µm."""


def stained_for(marker: str, section: Section, stains: str) -> IhcSlide:
    """The section, stained for a marker."""
    tissue = section.tissue
    least, most, patch = _PIGMENT
    share = max(0.0, least + (1.25 * hashed_one(tissue.seed, _DRAW, 0, 0) - 0.25) * (most - least))
    tissue.areas = tissue.areas | {PIGMENT: tissue.places.area(PIGMENT, share, patch)}
    level = round(section.expression.levels[marker], 4)
    facts = {"marker": marker, "level": level, "share_of_tissue": round(tissue.share, 4), "stains": stains}
    return IhcSlide(section, marker, dyes(tissue.sown, stains), facts)
