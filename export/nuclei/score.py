"""Scores served nuclei: the GeoJSON files that `histoserve analyze` wrote, against labelled tiles."""

import json
from pathlib import Path

import numpy as np
import shapely
from rich.console import Console
from rich.table import Table
from shapely import Polygon

from histoserve.export.nuclei.matching import TypeCounts, dice, f1, pair_centroids, panoptic
from histoserve.export.nuclei.network import TYPES
from histoserve.export.nuclei.tiles import VALIDATION_TILES, LabelledTile, consep_tiles
from histoserve.export.options import Labelled, Results


def labels_from_geojson(path: Path, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The label map int32 `shape`, and the type of each label, uint8 (labels + 1,), of one tile's features."""
    labels = np.zeros(shape, np.int32)
    types = [0]
    for number, feature in enumerate(json.loads(path.read_text())["features"], start=1):
        ring = np.array(feature["geometry"]["coordinates"][0])
        draw_polygon(labels, ring, number)
        types.append(1 + TYPES.index(feature["properties"]["classification"]["name"]))
    return labels, np.array(types, np.uint8)


def draw_polygon(labels: np.ndarray, ring: np.ndarray, number: int) -> None:
    """Sets the pixels whose centres lie inside `ring`, (V, 2) in pixels with the corner of the first at 0, 0."""
    left, top = np.floor(ring.min(0)).astype(int).clip(0)
    right, bottom = np.ceil(ring.max(0)).astype(int).clip(0)
    window = labels[top:bottom, left:right]
    rows, columns = np.indices(window.shape)
    polygon = Polygon(ring)
    shapely.prepare(polygon)
    window[shapely.contains_xy(polygon, left + columns + 0.5, top + rows + 0.5)] = number


def centroids(labels: np.ndarray, count: int) -> np.ndarray:
    """Mean x, y of each label 1…count, (count, 2); NaN where a label has no pixel."""
    rows, columns = np.nonzero(labels)
    number = labels[rows, columns]
    size = np.bincount(number, minlength=count + 1)[1:]
    with np.errstate(invalid="ignore"):
        return np.stack([np.bincount(number, c, count + 1)[1:] / size for c in (columns, rows)], 1)


def compare(tile: LabelledTile, result: Path, counts: list[TypeCounts]) -> dict[str, float]:
    """One tile's figures from its GeoJSON; adds its nuclei to `counts`, one entry a type."""
    labels, types = labels_from_geojson(result, tile.instances.shape)
    sides = []
    for number_map, type_of in ((labels, types), (tile.instances, tile.type_of)):
        centre = centroids(number_map, len(type_of) - 1)
        seen = ~np.isnan(centre[:, 0])
        sides.append((centre[seen], type_of[1:][seen]))
    (found, found_types), (truth, true_types) = sides
    pairs = pair_centroids(found, truth)
    for kind, count in enumerate(counts, start=1):
        count.add(kind, found_types, true_types, pairs)
    quality = panoptic(labels, tile.instances)
    return {
        "nuclei": len(truth),
        "found": len(found),
        "PQ": quality.quality,
        "DQ": quality.detection,
        "SQ": quality.segmentation,
        "Dice": dice(labels, tile.instances),
        "F1 detection": f1(len(pairs), len(found), len(truth)),
    }


def score(data: Labelled, results: Results) -> dict[str, float]:
    """Prints and returns the figures of `results/<tile>/nuclei/` on the validation tiles in `data/consep`."""
    counts = [TypeCounts() for _ in TYPES]
    files = {name: results / name / "nuclei" / "nuclei.geojson" for name in VALIDATION_TILES}
    missing = [name for name, path in files.items() if not path.is_file()]
    if missing:
        raise ValueError(f"{results} lacks nuclei.geojson of {', '.join(missing)}: analyse them with --mpp 0.25 first")
    tiles = [tile for tile in consep_tiles(data / "consep") if tile.name in VALIDATION_TILES]
    rows = {tile.name: compare(tile, files[tile.name], counts) for tile in tiles}
    mean = {key: float(np.mean([row[key] for row in rows.values()])) for key in next(iter(rows.values()))}
    table = Table(title="Served nuclei against CoNSeP validation tiles")
    for column in ("tile", *mean):
        table.add_column(column, justify="left" if column == "tile" else "right")
    for name, row in {**rows, "mean": mean}.items():
        table.add_row(
            name, *(f"{value:.0f}" if key in ("nuclei", "found") else f"{value:.3f}" for key, value in row.items())
        )
    by_type = Table(title="F1 by type, all tiles")
    for column in ("type", "detected and typed", "as HoVer-Net counts"):
        by_type.add_column(column)
    for name, count in zip(TYPES, counts, strict=True):
        by_type.add_row(name, f"{count.f1:.3f}", f"{count.f1_hovernet:.3f}")
    Console().print(table, by_type)
    return mean | {f"F1 {name}": count.f1 for name, count in zip(TYPES, counts, strict=True)}
