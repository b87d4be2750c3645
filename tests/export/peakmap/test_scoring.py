import json
from pathlib import Path

import pytest
import torch
from rich.console import Console

from histoserve.export.peakmap.baselines import MeanOfTiles, Statistics
from histoserve.export.peakmap.extractors import KINDS
from histoserve.export.peakmap.extractors.backbone import feature_shape
from histoserve.export.peakmap.network import CLASSES, Head
from histoserve.export.peakmap.score import Answer, accuracies, confusion, score, table_of_accuracies
from histoserve.phantom.cytology.smear import Smear

ANSWERS = [
    Answer(0, 0, {"peakmap": 0, "mean": 1}),
    Answer(1, 3, {"peakmap": 1, "mean": 1}),
    Answer(2, 40, {"peakmap": 1, "mean": 0}),
    Answer(2, 5, {"peakmap": 2, "mean": 2}),
]


def test_confusion_and_accuracy_by_hand() -> None:
    matrix = confusion([each.truth for each in ANSWERS], [each.found["peakmap"] for each in ANSWERS])
    assert matrix.tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 1]]
    assert accuracies(ANSWERS) == {"peakmap": 0.75, "mean": 0.5}


def test_the_table_tells_classes_and_numbers_of_lesions_apart() -> None:
    console = Console(width=100, record=True)
    console.print(table_of_accuracies(ANSWERS))
    lines = [line.replace("│", " ").split() for line in console.export_text().splitlines()]
    assert ["high_grade", "2", "50.0%", "50.0%"] in lines
    assert ["lesion", "cells:", "1", "to", "3", "1", "100.0%", "100.0%"] in lines
    assert ["lesion", "cells:", "31", "or", "more", "1", "0.0%", "0.0%"] in lines


def folders(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Truth files, results that are all right, and untrained weights."""
    for seed in range(2):
        drawing = Smear((256, 256), 0.5, seed)
        header = {"kind": "cytology", "seed": seed, "mpp": 0.5, "size": [256, 256], **drawing.facts}
        (tmp_path / "results" / f"s{seed}" / "peakmap").mkdir(parents=True)
        (tmp_path / f"s{seed}.geojson").write_text(json.dumps({"phantom": header, "features": []}))
        result = {"result": {"class": drawing.slide_class}}
        (tmp_path / "results" / f"s{seed}" / "peakmap" / "result.json").write_text(json.dumps(result))
    parts = {"extractor": KINDS["classifier"](3), "head": Head(feature_shape("map"))}
    parts |= {"mean": MeanOfTiles(128), "statistics": Statistics()}
    state = {f"{part}.{name}": each for part, module in parts.items() for name, each in module.state_dict().items()}
    torch.save(state, tmp_path / "weights.pt")
    return tmp_path, tmp_path / "results", tmp_path / "weights.pt"


def test_results_are_scored_beside_the_baselines(tmp_path: Path) -> None:
    found = score(*folders(tmp_path))
    assert found["peakmap"] == 1
    assert set(found) == {"peakmap", "mean of all tile features", "statistics of tile confidences"}


def test_a_result_without_truth_or_class_is_named(tmp_path: Path) -> None:
    data, results, weights = folders(tmp_path)
    (results / "s0" / "peakmap" / "result.json").write_text('{"result": {"class": null}}')
    with pytest.raises(ValueError, match=f"s0.*has the class None, wanted one of {', '.join(CLASSES)}"):
        score(data, results, weights)
    (data / "s0.geojson").unlink()
    with pytest.raises(ValueError, match=r"s0 has no truth: wanted .*s0.geojson"):
        score(data, results, weights)
    with pytest.raises(ValueError, match=r"no \*/peakmap/result.json"):
        score(data, data / "elsewhere", weights)
