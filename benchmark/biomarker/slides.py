"""The slides of a run: pairs that train, of one tissue a seed, and H&E slides that nobody saw before."""

from pathlib import Path

from histoserve.benchmark.biomarker.plan import Plan
from histoserve.phantom import write_drawing
from histoserve.phantom.biomarker.pair import biomarker_pair
from histoserve.phantom.biomarker.plan import biomarker_slide
from histoserve.phantom.biomarker.slide import BiomarkerSlide
from histoserve.phantom.drawing import Drawing, Pair


def pair_of(plan: Plan, seed: int, marker: str) -> Pair:
    """As it is drawn: the H&E of a seed, and how the other section lies, are those of every marker."""
    return biomarker_pair(plan.size, plan.mpp, seed, False, marker=marker, pair_mpp=str(plan.ihc_mpp))


def unseen(plan: Plan, seed: int) -> BiomarkerSlide:
    """The drawing of a slide that is scored."""
    return biomarker_slide(plan.unseen_size, plan.mpp, seed)


def draw_he(plan: Plan, seed: int) -> None:
    """The H&E of a pair, unless it is there."""
    _draw(plan.he(seed), biomarker_slide(plan.size, plan.mpp, seed), plan.size, plan.mpp)


def draw_ihc(plan: Plan, seed: int, marker: str) -> None:
    """The other section, unless it is there."""
    pair = pair_of(plan, seed, marker)
    _draw(plan.ihc(seed, marker), pair.second, pair.second_size, pair.second_mpp)


def draw_unseen(plan: Plan, seed: int) -> None:
    """A slide that is scored, unless it is there."""
    _draw(plan.he(seed), unseen(plan, seed), plan.unseen_size, plan.mpp)


def _draw(path: Path, drawing: Drawing, size: tuple[int, int], mpp: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        write_drawing(path, drawing, size, mpp)
