"""What of the peakmap networks is served: extractor, second module and classifier, cut at the pooling."""

import torch
from torch import Tensor, nn

from histoserve.export.identity import weights_sha256
from histoserve.export.peakmap.classes import CLASSES, TYPES
from histoserve.export.peakmap.extractors import KINDS, extractor_from_weights
from histoserve.export.peakmap.extractors.backbone import MPP, TILE_PX, Extractor, feature_map, feature_shape
from histoserve.export.peakmap.extractors.detector import Detector
from histoserve.export.peakmap.head import Head, SlideClassifier, head_from_weights
from histoserve.export.served import Rows, ServedGraph
from histoserve.export.standardise import Standardise

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


def published() -> nn.Module:
    """Untrained; there is one width only."""
    return nn.ModuleDict({"extractor": Detector(len(TYPES)), "head": Head(feature_shape("map"))})


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
