"""What an extractor of each kind is trained to make small."""

import torch
from torch import Tensor
from torch.nn import functional

from histoserve.export.overlap import dice
from histoserve.export.peakmap.extractors.backbone import Extractor
from histoserve.export.peakmap.extractors.classifier import Classifier
from histoserve.export.peakmap.extractors.detector import Detector
from histoserve.export.peakmap.lesions import LesionBatch
from histoserve.export.standardise import Standardise

FOCUS = 2.0
"""Exponent of the focal loss (Lin et al., 2017): how much less a crop counts that is already told right."""
LAST = 3.0
"""Weight of what the last layer says alone: it is the feature map, and the head can use only what is told there."""

STANDARDISE = Standardise()


def focal(logit: Tensor, truth: Tensor) -> Tensor:
    """Binary focal loss of each element; `truth` 0 or 1."""
    right = torch.where(truth > 0.5, logit, -logit)
    return -functional.logsigmoid(right) * torch.sigmoid(-right) ** FOCUS


def classifier_loss(raw: Tensor, batch: LesionBatch) -> Tensor:
    known = batch.label >= 0
    return focal(raw, batch.label)[known].mean()


def detector_loss(raw: Tensor, batch: LesionBatch) -> Tensor:
    """CenterNet's focal loss, milder around a centre, and the error of the boxes there, in grid cells."""
    logit, sides = raw[:, :-4], raw[:, -4:]
    centre = (batch.heat == 1).float()
    weight = torch.where(centre > 0, 1.0, (1 - batch.heat) ** 4) * batch.known
    centres = centre.sum().clamp(min=1)
    boxed = (batch.sides.sum(1, keepdim=True) > 0).float()
    distance = (functional.smooth_l1_loss(sides, batch.sides, reduction="none") * boxed).sum() / boxed.sum().clamp(
        min=1
    )
    return (focal(logit, centre) * weight).sum() / centres + 0.5 * distance


def segmenter_loss(raw: Tensor, batch: LesionBatch) -> Tensor:
    return functional.cross_entropy(raw, batch.mask) + dice(raw, batch.mask)


def loss(network: Extractor, batch: LesionBatch) -> Tensor:
    image = STANDARDISE(batch.image).contiguous(memory_format=torch.channels_last)
    maps = network.backbone(image)
    raw = network.head(maps)
    last = LAST * classifier_loss(network.last_logit(maps), batch)
    if isinstance(network, Detector):
        return last + detector_loss(raw, batch)
    return last + (classifier_loss(raw, batch) if isinstance(network, Classifier) else segmenter_loss(raw, batch))
