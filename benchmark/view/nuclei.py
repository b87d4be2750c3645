"""A million nuclei that nobody has, as dense as in a tumour, on half of a slide."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from histoserve.client.results.folder import LAST
from histoserve.client.results.geojson import write_geojson
from histoserve.client.results.layers import Class, Shape, Shapes
from histoserve.client.results.layers_json import LAYERS, Background, write_layers
from histoserve.client.results.palette import colour_of
from histoserve.client.results.result_json import SCHEMA, write_result

PIPELINE = "made_up"
SIDE_PX = 34_000
STEP_PX = 24
"""From nucleus to nucleus; they touch."""
VERTICES = 25
TYPES = ("other", "inflammatory", "epithelial", "spindle")
SHARES = (0.05, 0.3, 0.4, 0.25)


def write_nuclei(folder: Path, count: int = 1_000_000, seed: int = 0) -> Path:
    """A result with one layer; returns its GeoJSON."""
    random = np.random.default_rng(seed)
    middles = _middles(count, random)
    of = random.choice(len(TYPES), count, p=SHARES)
    found = np.bincount(of, minlength=len(TYPES)).tolist()
    classes = [Class(name, colour_of(number), found[number]) for number, name in enumerate(TYPES)]
    # They are made anew each time, in the same way: all at once would take more memory than what is measured.
    layers = [Shapes(classes, lambda: _nuclei(middles, of, seed))]
    path = folder / f"{PIPELINE}.geojson"
    features = write_geojson(path, f"{PIPELINE}/slide", layers).features
    tiles = [(x, y, 448, 448) for x in range(0, SIDE_PX, 448) for y in range(0, SIDE_PX, 448)]
    write_layers(folder / LAYERS, f"{count:,} nuclei", layers, features, Background((0, 0, 1, 1), tiles, []))
    slide = {"name": "slide", "width": SIDE_PX, "height": SIDE_PX, "mpp": 0.25, "content_sha256": "0" * 64}
    write_result(folder / LAST, {"schema": SCHEMA, "histoserve": "", "slide": slide, "pipeline": {"name": PIPELINE}})
    return path


def _middles(count: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Of the places of a lattice those where a landscape of a few waves is highest, in the order of tiles."""
    lattice = np.stack(np.meshgrid(*[np.arange(STEP_PX / 2, SIDE_PX, STEP_PX)] * 2), axis=-1).reshape(-1, 2)
    waves = random.normal(0, 1 / 2500, (6, 2))
    height = np.cos(lattice @ waves.T + random.uniform(0, 2 * np.pi, 6)).sum(axis=1)
    highest = np.sort(np.argpartition(height, -count)[-count:])
    tile = (lattice[highest] // 448).astype(int)
    in_tiles = highest[np.lexsort((tile[:, 0], tile[:, 1]))]
    return lattice[in_tiles] + random.uniform(-4, 4, (count, 2))


def _nuclei(middles: NDArray[np.float64], of: NDArray[np.int64], seed: int) -> Iterator[Shape]:
    random = np.random.default_rng(seed + 1)
    turns = np.linspace(0, 2 * np.pi, VERTICES, endpoint=False)
    for middle, number in zip(middles, of.tolist(), strict=True):
        across, tilt, share = random.uniform((8, 0, 0.5), (14, np.pi, 1))
        radius = across * (0.8 + 0.2 * np.cos(2 * (turns - tilt))) + random.uniform(-0.5, 0.5, VERTICES)
        outline = middle + radius[:, None] * np.stack((np.cos(turns), np.sin(turns)), axis=1)
        area = float(np.pi * radius.mean() ** 2)
        measurements = {
            "Area µm^2": round(area / 16, 2),
            "Area px^2": round(area, 2),
            "Type share of pixels": round(float(share), 4),
            "Centroid X px": round(float(middle[0]), 2),
            "Centroid Y px": round(float(middle[1]), 2),
        }
        yield Shape(outline.astype(np.float32), number, measurements)
