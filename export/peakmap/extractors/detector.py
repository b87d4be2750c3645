"""The extractor as a single-stage, anchor-free detector (after CenterNet and FCOS, both 2019)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from histoserve.export.peakmap.extractors.backbone import CHANNELS, Extractor, convolution

STRIDE = 8
"""Tile pixels from one cell of the detector's grid to the next: 4 µm, less than the smallest nucleus."""
BOXES = 16
"""Boxes a tile that the graph returns, those of the highest confidence."""
RARE = -3.0
"""Where the type logits start: a grid cell rarely holds a lesion's centre."""


class Detector(Extractor):
    """Per cell of the grid a logit of each type and the distances to the four sides of the box around it."""

    MARK = "side.weight"

    def __init__(self, types: int):
        super().__init__(types)
        *_, eighth, last = CHANNELS
        self.join = convolution(eighth + last, last)
        self.refine = convolution(last, last)
        self.kind = nn.Conv2d(last, types, 1)
        self.side = nn.Conv2d(last, 4, 1)
        nn.init.constant_(self.kind.bias, RARE)  # type: ignore[arg-type]

    def head(self, maps: list[Tensor]) -> Tensor:
        """→ (B, types + 4, h, w): type logits, then left, top, right, bottom in grid cells, above 0."""
        coarse = functional.interpolate(maps[-1], scale_factor=2.0, mode="nearest")
        x = self.refine(self.join(torch.cat([maps[-2], coarse], 1)))
        return torch.cat([self.kind(x), functional.softplus(self.side(x))], 1)

    def logit(self, raw: Tensor) -> Tensor:
        """That of the most confident box of each type ([0089])."""
        return raw[:, :-4].amax((2, 3))

    def boxes(self, raw: Tensor) -> Tensor:
        """Each type's most confident box, and `BOXES` in all: as `Extractor.boxes`.

        The scores are local maxima or 0. Where there are fewer local maxima, the last boxes are all 0.
        """
        types = raw.shape[1] - 4
        grid_height, grid_width = raw.shape[2:]
        score = torch.sigmoid(raw[:, :types] * self.scale[:, None, None] + self.shift[:, None, None])
        score = score * (score == functional.max_pool2d(score, 3, 1, 1))
        is_best = (score == score.amax((2, 3), keepdim=True)).any(1)
        rank = (score.amax(1) + is_best).flatten(1).topk(BOXES, dim=1).indices
        column, row = rank % grid_width + 0.5, rank // grid_width + 0.5
        left, top, right, bottom = self._at(raw[:, types:], rank).unbind(2)
        box = torch.stack(
            [
                *((column - left) / grid_width, (row - top) / grid_height),
                *((left + right) / grid_width, (top + bottom) / grid_height),
            ],
            2,
        )
        found = self._at(score, rank)
        # Which of many equal zeros come last is not defined: their boxes must be equal too.
        return torch.cat([box * (found.amax(2, keepdim=True) > 0), found], 2)

    @staticmethod
    def _at(planes: Tensor, rank: Tensor) -> Tensor:
        """Values of `planes` (B, c, h, w) at the grid cells `rank` (B, n): (B, n, c)."""
        return planes.flatten(2).gather(2, rank[:, None].expand(-1, planes.shape[1], -1)).transpose(1, 2)
