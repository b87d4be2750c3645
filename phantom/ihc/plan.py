"""What a slide of kind "ihc" holds, by its seed and by what is asked for."""

from histoserve.phantom.biomarker.markers import Expression
from histoserve.phantom.biomarker.plan import check_marker, part, tissue_of
from histoserve.phantom.biomarker.section import Section
from histoserve.phantom.ihc.slide import IhcSlide
from histoserve.phantom.ihc.stained import stained_for


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

    `level` is the share of the tumour cells that express it but for hot spots, `share` the part of the tissue that
    holds tumour nests, both 0-1 and drawn by the seed if not given; `stains` names one of `lesion.stains.RANGES`.
    ValueError for a marker, range or number that there is not.
    """
    check_marker(marker)
    levels = {} if level is None else {marker: part("level", level)}
    section = Section(tissue_of(size, mpp, seed, share), Expression(seed, levels), size, mpp)
    return stained_for(marker, section, stains)
