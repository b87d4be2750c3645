"""The readings of unseen slides beside their true cells."""

import json

import numpy as np
from numpy.typing import NDArray

from histoserve.benchmark.biomarker.by_hand import Read, fitted
from histoserve.benchmark.biomarker.figures import Truth, highest
from histoserve.benchmark.biomarker.plan import USUAL, Plan, Way
from histoserve.benchmark.biomarker.served import result
from histoserve.benchmark.biomarker.slides import unseen
from histoserve.benchmark.biomarker.true_cells import true_readings
from histoserve.client.grid import Rectangle
from histoserve.client.labels.cut import picture_of
from histoserve.client.registration.register import one_thread
from histoserve.client.results.layers import Grid
from histoserve.client.results.layers_json import read_layers
from histoserve.client.slide import open_slide
from histoserve.export.biomarker.labelled import parts_of
from histoserve.export.biomarker.network import TILE_PX
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
    """(slides,): of all tiles as served, in place of the highest."""
    return np.array([_grid(plan, seed, marker).mean() for seed in plan.unseen])


def truths(plan: Plan) -> dict[str, Truth]:
    """Of every marker; counted once, as it looks at every cell."""
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
        return np.array([highest(_read(plan, seed, read)) for seed in plan.unseen])


def _read(plan: Plan, seed: int, read: Read) -> NDArray[np.float64]:
    with open_slide(plan.he(seed)) as slide:
        return read(picture_of(slide, region, TILE_PX) for region in _regions(plan, seed))


def _true(plan: Plan, seed: int) -> tuple[dict[str, float], dict[str, float]]:
    """By marker: of the slide's cells, and of its highest tiles among those that were served."""
    file, regions = plan.slides / f"{seed}-true.json", _regions(plan, seed)
    said = json.loads(file.read_text()) if file.exists() else {}
    if said.get("regions") != [list(each) for each in regions]:
        drawn = unseen(plan, seed)
        tiles = true_readings(drawn.section, regions)
        ratios: dict[str, float | None] = dict(drawn.facts["ratios"])  # type: ignore[call-overload]
        known = [[None if np.isnan(each) else float(each) for each in row] for row in tiles]
        said = {"regions": regions, "ratios": ratios, "tiles": known}
        file.write_text(json.dumps(said))
    tiles = np.array(said["tiles"], np.float64)
    cells = {name: np.nan if ratio is None else ratio for name, ratio in said["ratios"].items()}
    return cells, {name: highest(tiles[:, column]) for column, name in enumerate(MARKERS)}


def _regions(plan: Plan, seed: int) -> list[Rectangle]:
    """Of the tiles that were served, level-0 px."""
    grid = _layer(plan, seed, plan.markers[0])
    x, y, width, height = grid.l0_first
    places = np.argwhere(np.isfinite(grid.values)).tolist()
    return [(round(x + column * width), round(y + row * height), round(width), round(height)) for row, column in places]


def _grid(plan: Plan, seed: int, marker: str) -> NDArray[np.float64]:
    values = _layer(plan, seed, marker).values
    return values[np.isfinite(values)].astype(np.float64)


def _layer(plan: Plan, seed: int, marker: str) -> Grid:
    """Raises ValueError for a slide without any tile, of which nothing was read."""
    layers = read_layers(result(plan, USUAL, seed) / LAYERS).layers
    found = [each for each in layers if isinstance(each, Grid) and each.title == marker]
    if not found:
        raise ValueError(f"unseen slide {seed} has no tile with tissue: give another folder, and a larger --size")
    return found[0]
