"""The readings of unseen slides beside their true cells."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from histoserve.benchmark.biomarker.by_hand import features, fitted
from histoserve.benchmark.biomarker.figures import Truth, highest
from histoserve.benchmark.biomarker.plan import USUAL, Plan, Way
from histoserve.benchmark.biomarker.served import result
from histoserve.benchmark.biomarker.slides import unseen
from histoserve.benchmark.biomarker.true_cells import true_readings
from histoserve.client.grid import Rectangle
from histoserve.client.labels.cut import picture_of, tiles_of
from histoserve.client.registration.register import one_thread
from histoserve.client.replace import replace_file
from histoserve.client.results.layers import Grid
from histoserve.client.results.layers_json import read_layers
from histoserve.client.slide import Slide, open_slide
from histoserve.export.biomarker.labelled import parts_of
from histoserve.export.biomarker.network import MPP, TILE_PX
from histoserve.phantom.biomarker.markers import MARKERS

LAYERS = "layers.json"
HELD, SEED = 0.2, 0
"""As `train` splits a training set by itself."""


def readings(plan: Plan, way: Way, marker: str) -> NDArray[np.float64]:
    """(slides,): as served; NaN for none."""
    said = (json.loads((result(plan, way, seed) / "result.json").read_text()) for seed in plan.unseen)
    found = [each["result"]["readings"][marker]["reading"] for each in said]
    return np.array([np.nan if each is None else each for each in found], np.float64)


def means(plan: Plan, marker: str) -> NDArray[np.float64]:
    """(slides,): of all tiles as served, in place of the highest; NaN for none."""
    return np.array(
        [highest(tiles, max(len(tiles), 1)) for tiles in (_tiles(plan, seed, marker) for seed in plan.unseen)]
    )


def truths(plan: Plan) -> dict[str, Truth]:
    """Of every marker."""
    said = [_true(plan, seed) for seed in plan.unseen]
    return {
        marker: Truth(
            np.array([cells[marker] for cells, _ in said], np.float64), np.array([tiles[marker] for _, tiles in said])
        )
        for marker in plan.markers
    }


def by_hand(plan: Plan, marker: str) -> NDArray[np.float64]:
    """(slides,): hand-made features, fitted on the same accepted tiles, by the same rule."""
    with one_thread():
        read = fitted(parts_of(plan.labels(USUAL, marker), marker, HELD, SEED).seen)
        return np.array([highest(read(np.load(_features_file(plan, seed)))) for seed in plan.unseen])


def measure(plan: Plan, seed: int) -> None:
    """Keeps what every marker is scored by: a slide's true cells, and the hand-made features of its tiles."""
    file = _true_file(plan, seed)
    if file.exists():
        return
    drawn = unseen(plan, seed)
    ratios: dict[str, float | None] = dict(drawn.facts["ratios"])  # type: ignore[call-overload]
    with one_thread(), open_slide(plan.he(seed)) as slide:
        regions = _regions(plan, slide)
        np.save(_features_file(plan, seed), features(picture_of(slide, each, TILE_PX) for each in regions))
    tiles = true_readings(drawn.section, regions)
    known = [[None if np.isnan(each) else float(each) for each in row] for row in tiles]
    # Last, as it says that the features are there too.
    replace_file(file, json.dumps({"ratios": ratios, "tiles": known}).encode())


def _true(plan: Plan, seed: int) -> tuple[dict[str, float], dict[str, float]]:
    """By marker: of the slide's cells, and of its highest tiles."""
    said = json.loads(_true_file(plan, seed).read_text())
    tiles = np.array(said["tiles"], np.float64)
    cells = {name: np.nan if ratio is None else ratio for name, ratio in said["ratios"].items()}
    return cells, {name: highest(tiles[:, column]) for column, name in enumerate(MARKERS)}


def _true_file(plan: Plan, seed: int) -> Path:
    return plan.slides / f"{seed}-true.json"


def _features_file(plan: Plan, seed: int) -> Path:
    return plan.slides / f"{seed}-features.npy"


def _regions(plan: Plan, slide: Slide) -> list[Rectangle]:
    """Of all tiles with tissue on them, level-0 px, whether the networks see tumour there or not."""
    return tiles_of(slide, plan.mpp, TILE_PX, MPP)


def _tiles(plan: Plan, seed: int, marker: str) -> NDArray[np.float64]:
    """(tiles,): what was read of those that show tumour."""
    layers = read_layers(result(plan, USUAL, seed) / LAYERS).layers
    found = [each.values for each in layers if isinstance(each, Grid) and each.title == marker]
    values = np.concatenate([np.empty(0), *(each.ravel() for each in found)])
    return values[np.isfinite(values)].astype(np.float64)
