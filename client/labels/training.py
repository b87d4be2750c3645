"""What of a training set trains, and how it is split."""

from collections.abc import Sequence

import numpy as np

from histoserve.client.errors import LabelsError
from histoserve.client.labels.label import Decision, Label

LEAST_SPREAD = 0.05
"""Between the lowest and the highest reading: below it all tiles are of one class, and nothing is to be learned."""


def accepted(labels: Sequence[Label], marker: str) -> list[Label]:
    """Those of the marker that people accepted; each has a reading. Raises LabelsError if they can teach nothing."""
    of_marker = [label for label in labels if label.pair.marker == marker]
    if not of_marker:
        markers = ", ".join(sorted({label.pair.marker for label in labels})) or "none"
        raise LabelsError(f"The training set holds no tile of {marker!r}; it holds {markers}.")
    chosen = [label for label in of_marker if label.decision is Decision.ACCEPT]
    if not chosen:
        raise LabelsError(
            f"None of the {len(of_marker)} tiles of {marker} is accepted, and only accepted ones train: "
            "look at them with `histoserve view` first."
        )
    readings = [label.tile.reading for label in chosen if label.tile.reading is not None]
    if max(readings) - min(readings) < LEAST_SPREAD:
        raise LabelsError(
            f"All {len(chosen)} accepted tiles of {marker} read {min(readings):.2f} to {max(readings):.2f}: of one "
            f"class nothing can be learned. Add pairs whose readings differ, by {LEAST_SPREAD:g} at least."
        )
    return chosen


def without_tumour(labels: Sequence[Label], marker: str) -> list[Label]:
    """Those of the marker in which no tumour was found: they teach where there is no reading."""
    return [label for label in labels if label.pair.marker == marker and label.is_without_tumour]


def split(labels: Sequence[Label], part: float, seed: int) -> tuple[list[Label], list[Label]]:
    """(for training, kept apart): about `part` of the tiles kept apart, whole slides, by chance of the `seed`.

    Slides that share a pair, directly or through others, stay together: a tile of one shows the tissue of the other.
    The order of `labels` does not matter. Raises LabelsError if there are fewer than two such groups.
    """
    if not 0 < part < 1:
        raise ValueError(f"a part of {part:g} cannot be kept apart: give one between 0 and 1")
    groups = _groups(labels)
    if len(groups) < 2:
        raise LabelsError(
            "All tiles are of one slide, or of slides that share pairs, and a slide's tiles never stand on both sides: "
            "add a pair of other slides."
        )
    shuffled = [groups[i] for i in np.random.default_rng(seed).permutation(len(groups))]
    ends = np.cumsum([len(group) for group in shuffled])[:-1]
    # The first that come nearest to the part; never none and never all.
    count = 1 + int(np.argmin(np.abs(ends - part * len(labels))))
    apart, training = shuffled[:count], shuffled[count:]
    return [label for group in training for label in group], [label for group in apart for label in group]


def _groups(labels: Sequence[Label]) -> list[list[Label]]:
    """By slides, in the order of their first tiles."""
    group_of: dict[str, str] = {}

    def root(slide: str) -> str:
        while (above := group_of.setdefault(slide, slide)) != slide:
            slide = above
        return slide

    ordered = sorted(labels, key=lambda label: label.key)
    for label in ordered:
        group_of[root(label.pair.ihc.content)] = root(label.pair.he.content)
    groups: dict[str, list[Label]] = {}
    for label in ordered:
        groups.setdefault(root(label.pair.he.content), []).append(label)
    return list(groups.values())
