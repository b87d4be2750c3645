"""Figures for found against true nuclei, as the field defines them."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

DETECTION_PX = 12
"""Two centroids closer than this are the same nucleus (3 µm at 0.25 µm/px), as in the published HoVer-Net figures."""


@dataclass(frozen=True)
class Panoptic:
    """Panoptic quality (Kirillov et al., 2019) of one tile: quality = detection × segmentation."""

    detection: float
    segmentation: float

    @property
    def quality(self) -> float:
        return self.detection * self.segmentation


def panoptic(found: np.ndarray, truth: np.ndarray) -> Panoptic:
    """Compares two label maps (H, W), 0 background; a pair matches when its intersection over union is above 0.5."""
    overlap = intersections(found, truth)
    union = areas(found)[:, None] + areas(truth)[None, :] - overlap
    iou = (overlap / np.maximum(union, 1))[1:, 1:]
    # Above one half a region can have only one partner.
    matched = iou[iou > 0.5]
    total = (areas(found)[1:] > 0).sum() + (areas(truth)[1:] > 0).sum()
    return Panoptic(float(2 * len(matched) / max(total, 1)), float(matched.mean()) if len(matched) else 0.0)


def areas(labels: np.ndarray) -> np.ndarray:
    return np.bincount(labels.ravel())


def intersections(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Pixels shared by each label of `found` (rows) and of `truth` (columns)."""
    columns = int(truth.max()) + 1
    counts = np.bincount(
        found.ravel().astype(np.int64) * columns + truth.ravel(), minlength=(int(found.max()) + 1) * columns
    )
    return counts.reshape(-1, columns)


def dice(found: np.ndarray, truth: np.ndarray) -> float:
    """Overlap of the two masks: twice what they share over what they have."""
    return float(2 * ((found > 0) & (truth > 0)).sum() / max((found > 0).sum() + (truth > 0).sum(), 1))


def pair_centroids(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Pairs (row of `found`, row of `truth`) of centroids (·, 2) at most `DETECTION_PX` apart."""
    if not len(found) or not len(truth):
        return np.empty((0, 2), int)
    distance = cKDTree(found).sparse_distance_matrix(cKDTree(truth), DETECTION_PX, output_type="coo_matrix")
    cost = np.full((len(found), len(truth)), 1e6)
    cost[distance.row, distance.col] = distance.data
    pairs = np.column_stack(linear_sum_assignment(cost))
    return pairs[cost[pairs[:, 0], pairs[:, 1]] < 1e6]


def f1(true_positive: int, found: int, truth: int) -> float:
    return 2 * true_positive / max(found + truth, 1)


@dataclass
class TypeCounts:
    """Counts over tiles from which a type's F1 follows."""

    both: int = 0
    """paired, of this type in both"""
    neither: int = 0
    """paired, of another type in both"""
    wrong: int = 0
    """paired, of this type in one only"""
    unpaired: int = 0
    """found or true nuclei of this type without a partner"""

    def add(self, kind: int, found: np.ndarray, truth: np.ndarray, pairs: np.ndarray) -> None:
        """`found` and `truth` are the types of all nuclei, `pairs` rows of the two."""
        is_found, is_true = found[pairs[:, 0]] == kind, truth[pairs[:, 1]] == kind
        self.both += int((is_found & is_true).sum())
        self.neither += int((~is_found & ~is_true).sum())
        self.wrong += int((is_found ^ is_true).sum())
        self.unpaired += int((found == kind).sum() - is_found.sum() + (truth == kind).sum() - is_true.sum())

    @property
    def f1(self) -> float:
        """Detected and of this type: wrongly typed and unpaired nuclei both count against it."""
        return 2 * self.both / max(2 * self.both + self.wrong + self.unpaired, 1)

    @property
    def f1_hovernet(self) -> float:
        """As HoVer-Net's authors define it (2019): agreement on "not this type" counts as right."""
        right = 2 * (self.both + self.neither)
        return right / max(right + 2 * self.wrong + self.unpaired, 1)
