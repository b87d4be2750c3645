"""The slides of a run: pairs that train, of one tissue a seed, and H&E slides that nobody saw before."""

from histoserve.benchmark.biomarker.plan import Plan
from histoserve.phantom import write_drawing
from histoserve.phantom.biomarker.pair import biomarker_pair
from histoserve.phantom.biomarker.plan import biomarker_slide
from histoserve.phantom.biomarker.slide import BiomarkerSlide
from histoserve.phantom.drawing import Pair


def pair_of(plan: Plan, seed: int, marker: str) -> Pair:
    """As it is drawn: the H&E of a seed, and how the other section lies, are those of every marker."""
    return biomarker_pair(plan.size, plan.mpp, seed, False, marker=marker)


def unseen(plan: Plan, seed: int) -> BiomarkerSlide:
    """The drawing of a slide that is scored."""
    return biomarker_slide(plan.size, plan.mpp, seed)


def draw_pair(plan: Plan, seed: int, marker: str) -> None:
    """Both files, unless they are there."""
    he, ihc = plan.he(seed), plan.ihc(seed, marker)
    he.parent.mkdir(parents=True, exist_ok=True)
    if he.exists() and ihc.exists():
        return
    pair = pair_of(plan, seed, marker)
    if not he.exists():
        write_drawing(he, pair.first, plan.size, plan.mpp)
    write_drawing(ihc, pair.second, pair.second_size, pair.second_mpp)


def draw_unseen(plan: Plan, seed: int) -> None:
    """The file, unless it is there."""
    plan.slides.mkdir(parents=True, exist_ok=True)
    if not plan.he(seed).exists():
        write_drawing(plan.he(seed), unseen(plan, seed), plan.size, plan.mpp)
