"""Extractors: a tile's lesion cell types, a confidence for each, and its feature map (CN115601749B [0076-0098])."""

from torch import Tensor

from histoserve.export.peakmap.extractors.backbone import Extractor
from histoserve.export.peakmap.extractors.classifier import Classifier
from histoserve.export.peakmap.extractors.detector import Detector
from histoserve.export.peakmap.extractors.segmenter import Segmenter

KINDS: dict[str, type[Extractor]] = {"classifier": Classifier, "detector": Detector, "segmenter": Segmenter}


def extractor_from_weights(weights: dict[str, Tensor]) -> Extractor:
    """The extractor that fits `weights`: its kind is read off the parameters that only that kind has."""
    kind = next((each for each in KINDS.values() if each.MARK in weights), None)
    if kind is None:
        raise ValueError(f"there is none of {', '.join(each.MARK for each in KINDS.values())}")
    extractor = kind(len(weights["scale"]))
    extractor.load_state_dict(weights)
    return extractor
