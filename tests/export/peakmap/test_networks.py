"""The networks of peakmap as PyTorch modules."""

import numpy as np
import pytest
import torch
from torch import Tensor

from histoserve.ensemble.peakmap.pool import peakmap_pool
from histoserve.export.peakmap.baselines import statistics
from histoserve.export.peakmap.extractors import KINDS, extractor_from_weights
from histoserve.export.peakmap.extractors.backbone import feature_shape
from histoserve.export.peakmap.extractors.detector import Detector
from histoserve.export.peakmap.extractors.segmenter import NUCLEUS_PX, Segmenter
from histoserve.export.peakmap.network import ExtractedTiles, Head, SlideProbability, head_from_weights, identity

SHAPE = feature_shape("map")
TILES = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 128, 128, 3), np.uint8))


def rows(kind: str, feature: str = "map") -> tuple[Tensor, ...]:
    torch.manual_seed(0)
    with torch.no_grad():
        return ExtractedTiles(KINDS[kind](3).eval(), feature)(TILES)


@pytest.mark.parametrize("feature", ["map", "pyramid"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_extractor_gives_the_rows_of_one_contract(kind: str, feature: str) -> None:
    score, maps, boxes = rows(kind, feature)
    assert (score.shape, score.dtype) == ((2, 3), torch.float32)
    assert ((score > 0) & (score < 1)).all()
    assert (tuple(maps.shape), maps.dtype) == ((2, *feature_shape(feature)), torch.float16)
    assert (boxes.shape[0], boxes.shape[2], boxes.dtype) == (2, 7, torch.float32)
    assert bool(boxes.any()) == (kind == "detector")


@pytest.mark.parametrize("kind", KINDS)
def test_an_extractor_is_small_and_known_by_its_weights(kind: str) -> None:
    extractor = KINDS[kind](4)
    assert sum(each.numel() for each in extractor.parameters()) < 1e6
    again = extractor_from_weights(extractor.state_dict())
    assert type(again) is KINDS[kind]
    assert identity(again) == identity(extractor) != identity(KINDS[kind](4))


def test_a_detectors_score_is_the_highest_confidence_of_its_boxes() -> None:
    score, _, boxes = rows("detector")
    assert torch.equal(boxes[:, :, 4:].amax(1), score)
    assert (boxes[:, :, 2:4] >= 0).all()


def test_a_detectors_box_lies_where_its_cell_is() -> None:
    raw = torch.full((1, 7, 16, 16), -5.0)
    raw[0, 1, 2, 3] = 4.0
    raw[0, 3:] = 1.0
    box = Detector(3).boxes(raw)[0, 0]
    # The cell of row 2, column 3 of 16 has its middle at 3.5, 2.5; 1 cell to each side.
    assert box[:4].tolist() == [2.5 / 16, 1.5 / 16, 2 / 16, 2 / 16]
    assert box[4:].argmax() == 1


def test_where_fewer_maxima_are_left_the_boxes_are_empty() -> None:
    raw = torch.linspace(-9, 9, 256).reshape(1, 1, 16, 16).expand(1, 7, -1, -1)
    assert not Detector(3).boxes(raw)[0, 1:].any()


@pytest.mark.parametrize(("pixels", "score"), [(NUCLEUS_PX, 10.0), (NUCLEUS_PX // 2, 0.0), (0, -10.0)])
def test_a_segmenters_score_is_that_of_its_surest_pixels(pixels: int, score: float) -> None:
    raw = torch.zeros(1, 4, 64, 64)
    raw[0, 0] = 10
    raw[0, 2].view(-1)[:pixels] = 20
    assert Segmenter(3).logit(raw)[0, 1].item() == score


@pytest.mark.parametrize("feature", ["map", "pyramid"])
def test_the_head_is_what_the_served_pieces_compute(feature: str) -> None:
    torch.manual_seed(0)
    head = Head(feature_shape(feature)).eval()
    maps = torch.randn(6, *feature_shape(feature)).half()
    index = torch.tensor([[1, 4, 2, -1], [0, -1, -1, -1], [3, 5, -1, -1]])
    with torch.no_grad():
        embedding, logit = (each.numpy() for each in head.encoder(maps))
        pooled = peakmap_pool(embedding, logit, index.int().numpy())["POOLED"]
        served = SlideProbability(head.classifier)(torch.from_numpy(pooled))
        assert torch.allclose(served, head(maps, index[None]).softmax(1)[0], atol=1e-5)


def test_a_head_is_known_by_its_weights() -> None:
    head, feature = head_from_weights(Head(feature_shape("pyramid"), types=4, classes=2).state_dict())
    assert (feature, head.classifier.types, head.classifier.classify.out_features) == ("pyramid", 4, 2)


def test_the_statistics_by_hand() -> None:
    found = statistics(torch.tensor([[0.95, 0.0], [0.35, 0.0]])).reshape(-1, 2)
    # Over 0.1, 0.3, 0.5, 0.7, 0.9, 0.97; then the mean of the highest 1, 3 and 10, missing ones being 0.
    assert torch.expm1(found[:6, 0]).round().tolist() == [2, 2, 1, 1, 1, 0]
    assert found[6:, 0].tolist() == pytest.approx([0.95, 1.3 / 3, 0.13])
    assert not found[:, 1].any()
