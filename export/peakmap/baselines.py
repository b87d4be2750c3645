"""The two ways to class a slide that peak feature maps are meant to beat (CN115601749B [0027-0028]).

They are trained and measured beside the head, and not served.
"""

import torch
from torch import Tensor, nn

from histoserve.export.peakmap.network import CLASSES, DROPOUT, LENGTH, TYPES, WIDTH

THRESHOLDS = (0.1, 0.3, 0.5, 0.7, 0.9, 0.97)
TOPS = (1, 3, 10)
"""Statistics of each type's confidences: how many tiles reach each threshold, and the mean of the highest so many."""


def mlp(inputs: int) -> nn.Sequential:
    return nn.Sequential(
        *(nn.Linear(inputs, LENGTH), nn.ReLU(), nn.Dropout(DROPOUT)),
        *(nn.Linear(LENGTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, len(CLASSES))),
    )


class MeanOfTiles(nn.Module):
    """All tiles' features, each embedded, averaged over the slide."""

    def __init__(self, features: int):
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(features, LENGTH), nn.ReLU())
        # Averaged over hundreds of tiles, what a few of them say is small: brought back to the scale of one.
        self.classify = nn.Sequential(nn.BatchNorm1d(LENGTH), *mlp(LENGTH))

    def forward(self, features: Tensor, slide: Tensor, slides: int) -> Tensor:
        """`features` (n, f) of all tiles of `slides` slides, `slide` int64 (n,) which each belongs to → logits."""
        total = torch.zeros(slides, LENGTH).index_add(0, slide, self.embed(features))
        count = torch.bincount(slide, minlength=slides).clamp(min=1)
        return self.classify(total / count[:, None])


class Statistics(nn.Module):
    """Hand-made statistics of the tiles' confidences."""

    def __init__(self) -> None:
        super().__init__()
        inputs = len(TYPES) * (len(THRESHOLDS) + len(TOPS))
        self.classify = nn.Sequential(nn.BatchNorm1d(inputs), *mlp(inputs))

    def forward(self, statistics: Tensor) -> Tensor:
        """What `statistics` gives, (B, types × (thresholds + tops)) → logits."""
        return self.classify(statistics)


def statistics(score: Tensor) -> Tensor:
    """Confidences (n, types) of a slide's tiles → logarithms of the counts, and the means of the highest."""
    counts = torch.stack([(score >= threshold).sum(0) for threshold in THRESHOLDS]).float()
    padded = torch.cat([score.sort(0, descending=True).values, torch.zeros(max(TOPS), score.shape[1])])
    means = torch.stack([padded[:top].mean(0) for top in TOPS])
    return torch.cat([torch.log1p(counts), means]).flatten()
