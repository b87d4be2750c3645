"""What follows the extractor: second module with gated attention, first module and classifier (CN115601749B)."""

import torch
from torch import Tensor, nn

from histoserve.export.peakmap.classes import CLASSES, TYPES
from histoserve.export.peakmap.extractors.backbone import averaged, feature_shape

LENGTH, GATE, WIDTH = 64, 32, 32
"""L of the embedding, M of the attention ([0111]), and the channels of the first module."""
DROPOUT = 0.25


class SecondModule(nn.Module):
    """Feature map → embedding X in R^L and its attention logit; one set of weights for all peak maps ([0101-0111])."""

    def __init__(self, shape: tuple[int, int, int]):
        super().__init__()
        self.shape = shape
        channels, height, _ = shape
        side = 3 if height > 1 else 1
        self.convolve = nn.Conv2d(channels, LENGTH, side, 1, side // 2)
        self.embed = nn.Linear(2 * LENGTH, LENGTH)
        self.dropout = nn.Dropout(DROPOUT)
        self.v = nn.Linear(LENGTH, GATE)
        self.u = nn.Linear(LENGTH, GATE)
        self.w = nn.Linear(GATE, 1, bias=False)

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """(P, c, h, w) of any float type → X (P, L), logit (P, 1)."""
        x = torch.relu(self.convolve(maps.float()))
        x = torch.relu(self.embed(torch.cat([averaged(x).flatten(1), x.amax((2, 3))], 1)))
        x = self.dropout(x)
        return x, self.w(torch.tanh(self.v(x)) * torch.sigmoid(self.u(x)))


class SlideClassifier(nn.Module):
    """One pooled feature a type → class logits: the first module, shared by the types ([0053]), concatenation, FC."""

    def __init__(self, types: int, classes: int):
        super().__init__()
        self.types = types
        self.first = nn.Sequential(
            nn.Linear(LENGTH, WIDTH), nn.ReLU(), nn.Dropout(DROPOUT), nn.Linear(WIDTH, WIDTH), nn.ReLU()
        )
        self.classify = nn.Linear(types * WIDTH, classes)

    def forward(self, pooled: Tensor) -> Tensor:
        """(B, types, L) → logits (B, classes)."""
        return self.classify(self.first(pooled).flatten(1))


class Head(nn.Module):
    """All that follows the extractor, in one piece, as it is trained; what is served is cut at the pooling."""

    def __init__(self, shape: tuple[int, int, int], types: int = len(TYPES), classes: int = len(CLASSES)):
        super().__init__()
        self.encoder = SecondModule(shape)
        self.classifier = SlideClassifier(types, classes)

    def forward(self, maps: Tensor, index: Tensor) -> Tensor:
        """`maps` (P, c, h, w) and the row of each peak, `index` int64 (B, types, K), −1 for none → logits.

        Every type has at least one peak; one without tiles has the row of an all-zero map ([0060]).
        """
        embedding, logit = self.encoder(maps)
        attention = logit[:, 0][index].masked_fill(index < 0, -torch.inf).softmax(2)
        return self.classifier((attention[..., None] * embedding[index]).sum(2))


def head_from_weights(weights: dict[str, Tensor]) -> tuple[Head, str]:
    """The head that fits `weights`, and the kind of feature map it takes, read off its first convolution."""
    side = weights["encoder.convolve.weight"].shape[-1]
    feature = "map" if side > 1 else "pyramid"
    first, classify = weights["classifier.first.3.weight"], weights["classifier.classify.weight"]
    head = Head(feature_shape(feature), classify.shape[1] // first.shape[0], classify.shape[0])
    head.load_state_dict(weights)
    return head, feature
