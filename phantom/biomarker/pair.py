"""Two neighbouring sections of one tissue on two slides: H&E, and one stained for a marker that lies otherwise.

tissue -> section 1, as it is -> H&E
       -> section 2: a piece torn off, a fold -> bent, stretched, scaled, mirrored, turned, moved -> IHC
"""

from typing import Literal

import numpy as np

from histoserve.phantom.biomarker.glass import Fold
from histoserve.phantom.biomarker.markers import Expression
from histoserve.phantom.biomarker.placement import Placement
from histoserve.phantom.biomarker.plan import check_marker, tissue_of
from histoserve.phantom.biomarker.section import Section
from histoserve.phantom.biomarker.slide import BiomarkerSlide
from histoserve.phantom.biomarker.tissue import BiomarkerTissue, Tear
from histoserve.phantom.drawing import Pair
from histoserve.phantom.ihc.stained import stained_for
from histoserve.phantom.lesion.marks import fold
from histoserve.phantom.noise import Floats

LANDMARKS = 80
SCALES, STRETCH, BEND = (0.8, 1.25), 1.1, (10.0, 40.0)
"""Least and most enlargement, most stretch, least and most bend in µm."""

Damage = Literal["none", "torn", "folded", "cut"]
DAMAGES: tuple[Damage, ...] = ("none", "torn", "folded", "cut")
_DRAWN = (0.5, 0.25, 0.25, 0.0)
"""How often the first, second, … of these are drawn: tissue cut off by the slide's edge only if asked for."""

_SHARED = 0.6
"""Of the nuclei of a section, those that its neighbour holds too."""

_CHANNEL = 2300
_PLACES = 3000
_CUT = 0.3


def biomarker_pair(
    size: tuple[int, int],
    mpp: float,
    seed: int,
    same_section: bool,
    *,
    marker: str = "ki67",
    share: str | None = None,
    stains: str = "training",
    damage: str | None = None,
    pair_mpp: str | None = None,
) -> Pair:
    """An H&E of a size (px) and resolution (µm/px), and the same tissue stained for `marker` on a slide of its own.

    `same_section` stains the first section again, else the second shares part of its cells. `damage` names one of
    DAMAGES, drawn by the seed if not given; `pair_mpp` is the second slide's µm/px, the first's if not given; the rest
    is as in `biomarker_slide`. ValueError for a choice that there is not.
    """
    check_marker(marker)
    random = np.random.default_rng((seed, _CHANNEL))
    chosen = _damage(damage, random)
    tissue = tissue_of(size, mpp, seed, share)
    tear = _tear(tissue, random) if chosen == "torn" else None
    under = tissue.section(0 if same_section else 1, tear)
    second_mpp = mpp if pair_mpp is None else _mpp(pair_mpp)
    placement, second_size = placed(under, second_mpp, random, cut=chosen == "cut")
    expression, shared = Expression(seed), 1.0 if same_section else _SHARED
    first = BiomarkerSlide(Section(tissue, expression, size, mpp), stains)
    second = stained_for(
        marker,
        Section(under, expression, second_size, second_mpp, first=tissue, shared=shared, placement=placement),
        stains,
    )
    if chosen == "folded":
        width, height = (length * second_mpp for length in second_size)
        second.fold = Fold(*fold(seed, (width, height)))
    landmarks = _landmarks(under, placement, second.fold, random)
    landmarks = landmarks / np.array([mpp, mpp, second_mpp, second_mpp])
    matrix = np.hstack([placement.matrix[:, :2] * mpp, placement.matrix[:, 2:]]) / second_mpp
    relation: dict[str, object] = {
        "matrix": np.round(matrix, 6).tolist(),
        "mirrored": placement.mirrored,
        "bend_um": round(placement.bend, 2),
        "damage": chosen,
        "same_section": same_section,
        "landmarks": np.round(landmarks[:, :2], 2).tolist(),
        "pair_landmarks": np.round(landmarks[:, 2:], 2).tolist(),
    }
    return Pair(first, second, second_size, second_mpp, relation)


def _damage(asked: str | None, random: np.random.Generator) -> str:
    if asked not in (None, *DAMAGES):
        raise ValueError(f"no damage is called {asked!r}: choose one of {', '.join(DAMAGES)}")
    drawn = DAMAGES[int(random.choice(len(DAMAGES), p=_DRAWN))]
    return asked or drawn


def _mpp(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not 0.05 <= number <= 50:
        raise ValueError(f"a resolution of 0.05 to 50 µm per pixel is wanted, but pair_mpp is {value!r}")
    return number


def _tear(tissue: BiomarkerTissue, random: np.random.Generator) -> Tear:
    """A line that leaves most of the tissue on one side."""
    places = _within(tissue, random)
    angle = float(random.uniform(-np.pi, np.pi))
    way = places @ (np.cos(angle), np.sin(angle))
    there = float(np.quantile(way, random.uniform(0.78, 0.92)))
    return Tear(tissue.seed, there * np.cos(angle), there * np.sin(angle), angle)


def placed(
    tissue: BiomarkerTissue, mpp: float, random: np.random.Generator, *, cut: bool
) -> tuple[Placement, tuple[int, int]]:
    """How the section is moved, and the size of a slide around it (px)."""
    turn, axis = random.uniform(-np.pi, np.pi), random.uniform(0, np.pi)
    stretch = np.sqrt(random.uniform(1, STRETCH))
    scale = float(np.exp(random.uniform(*np.log(SCALES))))
    flip = np.diag([1.0, random.choice((-1.0, 1.0))])
    linear = scale * _turned(turn) @ flip @ _turned(axis) @ np.diag([stretch, 1 / stretch]) @ _turned(-axis)
    shorter = min(tissue.size_um)
    pitch = float(np.clip(0.35 * shorter, 150.0, 2500.0))
    # A small slide bends less, or its tissue would lie double.
    bend = float(min(random.uniform(*BEND), 0.03 * pitch))
    lying = Placement(tissue.seed, np.hstack([linear, np.zeros((2, 1))]), bend, pitch)
    places = _within(tissue, random)
    on_slide = np.stack(lying.to_slide(places[:, 0], places[:, 1]))
    low, high = on_slide.min(axis=1), on_slide.max(axis=1)
    margins = random.uniform(0.05, 0.12, (2, 2)) * shorter
    if cut:
        low = low + _CUT * (high - low) * (1, 0)
        margins[0, 0] = 0
    move = margins[:, 0] - low
    width, height = (max(1, int(length / mpp)) for length in high + move + margins[:, 1])
    return Placement(tissue.seed, np.hstack([linear, move[:, None]]), bend, pitch), (width, height)


def _turned(angle: float) -> Floats:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s], [s, c]])


def _within(tissue: BiomarkerTissue, random: np.random.Generator, deep: float = 0.0) -> Floats:
    """Places (N, 2) all over the tissue, µm, `deep` under its outline; the slide's middle if there is none."""
    places = random.uniform(0, 1, (_PLACES, 2)) * tissue.size_um
    inside = tissue.inside(places[:, 0], places[:, 1]) > deep
    return places[inside] if inside.any() else np.array([tissue.size_um]) / 2


def _landmarks(
    tissue: BiomarkerTissue, placement: Placement, folded: Fold | None, random: np.random.Generator
) -> Floats:
    """Places of the tissue and of the second slide that correspond (LANDMARKS or fewer, 4), µm, far from each other."""
    places = _within(tissue, random, 20.0)
    on_slide = np.stack(placement.to_slide(places[:, 0], places[:, 1]), axis=1)
    if folded is not None:
        cover = np.array([folded.line.cover(at[:1], at[1:])[0, 0] for at in on_slide])
        places, on_slide = places[cover == 0], on_slide[cover == 0]
    chosen = [0] if len(places) else []
    away = np.full(len(places), np.inf)
    while len(chosen) < min(LANDMARKS, len(places)):
        away = np.minimum(away, np.linalg.norm(places - places[chosen[-1]], axis=1))
        chosen.append(int(np.argmax(away)))
    return np.hstack([places[chosen], on_slide[chosen]])
