"""The peakmap networks: extractor, second module with gated attention, first module and classifier (CN115601749B)."""

import torch
from torch import Tensor, nn

from histoserve.export.graph import Rows, ServedGraph, Standardise, weights_sha256
from histoserve.export.peakmap.extractors import KINDS, extractor_from_weights
from histoserve.export.peakmap.extractors.backbone import MPP, TILE_PX, Extractor, averaged, feature_map, feature_shape

TYPES = ("ascus", "lsil", "hsil")
CLASSES = ("negative", "low_grade", "high_grade")
"""Of a slide: any hsil cell makes it high_grade, otherwise any ascus or lsil cell low_grade."""
LENGTH, GATE, WIDTH = 64, 32, 32
"""L of the embedding, M of the attention ([0111]), and the channels of the first module."""
DROPOUT = 0.25

SIZES = {
    "types": {
        **{"SCORE": -1, "FLOOR": -1, "POOLED": -2, "ATTENTION": -2},
        **{"PEAK_REGION": -3, "PEAK_SCORE": -2, "PEAK_INDEX": -2},
    },
    "classes": {"PROBABILITY": -1},
    "tile_px": {"IMAGE": -2},
    "k": {"PEAK_REGION": -2, "PEAK_SCORE": -1, "PEAK_INDEX": -1, "ATTENTION": -1},
    "embedding length": {"EMBEDDING": -1, "POOLED": -1},
    "feature map channels": {"FEATURE_MAP": -3, "PEAK_MAP": -3},
    "feature map height": {"FEATURE_MAP": -2, "PEAK_MAP": -2},
    "feature map width": {"FEATURE_MAP": -1, "PEAK_MAP": -1},
}
"""Which axis, from the last, of which tensor is what: one size throughout the pipeline."""
ALL_PEAKS = Rows(("types", "k"), more=1)
"""What the selection gives the encoder at once: all peaks, and the all-zero map of a type without any."""


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


class ExtractedTiles(nn.Module):
    """The served graph: tiles → rows; the boxes are for display."""

    def __init__(self, extractor: Extractor, feature: str):
        super().__init__()
        self.standardise, self.extractor, self.feature = Standardise(), extractor, feature

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """RGB uint8 (N, 128, 128, 3) → scores (N, types), feature maps float16 (N, c, h, w), boxes."""
        maps = self.extractor.backbone(self.standardise(image))
        raw = self.extractor.head(maps)
        return (
            self.extractor.score(raw),
            feature_map(maps, self.feature).half(),
            self.extractor.boxes(raw),
        )


class SlideProbability(nn.Module):
    """The served graph: pooled features (types, L) → class probabilities (classes,)."""

    def __init__(self, classifier: SlideClassifier):
        super().__init__()
        self.classifier = classifier

    def forward(self, pooled: Tensor) -> Tensor:
        return self.classifier(pooled[None]).softmax(1)[0]


def identity(extractor: Extractor) -> int:
    """31 bits of the sha256 of the extractor's weights, by which training knows its feature maps again."""
    return int(weights_sha256(extractor)[:8], 16) >> 1


def part_of(weights: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """The weights of one part, named as that part names them."""
    return {key.removeprefix(f"{name}."): value for key, value in weights.items() if key.startswith(f"{name}.")}


def head_from_weights(weights: dict[str, Tensor]) -> tuple[Head, str]:
    """The head that fits `weights`, and the kind of feature map it takes, read off its first convolution."""
    side = weights["encoder.convolve.weight"].shape[-1]
    feature = "map" if side > 1 else "pyramid"
    first, classify = weights["classifier.first.3.weight"], weights["classifier.classify.weight"]
    head = Head(feature_shape(feature), classify.shape[1] // first.shape[0], classify.shape[0])
    head.load_state_dict(weights)
    return head, feature


def served(weights: dict[str, Tensor]) -> list[ServedGraph]:
    """What `histoserve export peakmap` puts into the model repository."""
    extractor = extractor_from_weights(part_of(weights, "extractor"))
    head, feature = head_from_weights(part_of(weights, "head"))
    kind = next(name for name, each in KINDS.items() if isinstance(extractor, each))
    shape = feature_shape(feature)
    return [
        ServedGraph(
            model="peakmap_network",
            module=ExtractedTiles(extractor, feature),
            example=(torch.zeros(2, TILE_PX, TILE_PX, 3, dtype=torch.uint8),),
            inputs=("IMAGE",),
            outputs=("SCORE", "FEATURE_MAP", "BOX"),
            dynamic={"IMAGE": {0: "N"}},
            parameters={
                "mpp": str(MPP),
                "types": ",".join(TYPES),
                "classes": ",".join(CLASSES),
                "extractor": kind,
                "feature": feature,
            },
            max_batch_size=32,
            sizes=SIZES,
            stamped=True,
        ),
        ServedGraph(
            model="peakmap_encoder",
            module=head.encoder,
            example=(torch.zeros(2, *shape, dtype=torch.float16),),
            inputs=("FEATURE_MAP",),
            outputs=("EMBEDDING", "LOGIT"),
            dynamic={"FEATURE_MAP": {0: "N"}},
            parameters={},
            max_batch_size=32,
            sizes=SIZES,
            at_once=ALL_PEAKS,
        ),
        ServedGraph(
            model="peakmap_classifier",
            module=SlideProbability(head.classifier),
            example=(torch.zeros(head.classifier.types, head.encoder.v.in_features),),
            inputs=("POOLED",),
            outputs=("PROBABILITY",),
            dynamic={},
            parameters={},
            max_batch_size=0,
            sizes=SIZES,
        ),
    ]
