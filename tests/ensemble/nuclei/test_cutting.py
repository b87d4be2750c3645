"""A map cut into tiles at any offset gives each nucleus once: watershed and seams together, without a server."""

from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
from shapely import Polygon, STRtree

from histoserve.client.grid import grid, tile_size
from histoserve.ensemble.nuclei.seams import seams
from histoserve.ensemble.nuclei.watershed import watershed

MODEL = Path(__file__).parents[3] / "model_repository" / "nuclei_network" / "1" / "model.onnx"
RULES = {"foreground_threshold": 0.5, "edge_threshold": 0.1, "merge_threshold": 0.15, "split_ratio": 0.6}
RULES |= {"opening_px": 3, "min_area_px": 50, "min_marker_px": 8, "max_hole_px": 64}
MARGIN = 32
OFFSETS = [(0, 0), (37, 91), (64, 13), (96, 160), (128, 128), (150, 5), (181, 77), (191, 191)]


def kept(maps: np.ndarray, tile_px: int, offset: tuple[int, int]) -> dict[str, np.ndarray]:
    """Rows in the map's own pixels, and OUTLINE, a polygon each; the grid's origin lies `offset` before the map's."""
    x0, y0 = offset
    padded = np.pad(maps, ((y0, tile_px), (x0, tile_px), (0, 0)))
    size = tile_size(tile_px, 0.25, MARGIN, 0.25)
    tiles = list(grid(maps.shape[1] + x0, maps.shape[0] + y0, size))
    region, core = (np.array([getattr(tile, name) for tile in tiles], np.float32) for name in ("region", "core"))
    cut = np.stack([padded[y : y + tile_px, x : x + tile_px] for x, y, _, _ in region.astype(int)])
    made = np.zeros((len(tiles), 1), np.int32)
    rows = watershed(cut, region, core, made, made, identity=1, margin_px=MARGIN, seam_px=8, **RULES)
    names = ("CENTROID", "BOX", "TYPE", "TYPE_PROBABILITY", "AREA", "SHAPE", "TILE_INDEX")
    columns = {name.lower(): rows[name] for name in names}
    keep = seams(**columns, core=core[rows["TILE_INDEX"]], network=rows["NETWORK"], same_share=0.4)["KEEP"]
    contours = np.split(rows["CONTOUR"], rows["CONTOUR_END"][:-1])
    outlines = np.array([Polygon(contour) for contour, stays in zip(contours, keep, strict=True) if stays], object)
    return {"AREA": rows["AREA"][keep], "CENTROID": rows["CENTROID"][keep] - offset, "OUTLINE": outlines}


def largest_shared_part(outlines: np.ndarray) -> float:
    """Of any two, in parts of the smaller."""
    pairs = [(a, b) for a, b in STRtree(outlines).query(outlines, predicate="intersects").T if a < b]
    both = [(outlines[a], outlines[b]) for a, b in pairs]
    return max((one.intersection(other).area / min(one.area, other.area) for one, other in both), default=0)


@pytest.fixture(scope="module")
def real_maps(shared: Path) -> np.ndarray:
    """Of a CoNSeP tile, 992 × 992."""
    image = cv2.imread(str(shared / "consep" / "train_06.png"))[None, :992, :992, ::-1]
    return onnxruntime.InferenceSession(MODEL).run(["MAPS"], {"IMAGE": np.ascontiguousarray(image)})[0][0]


def test_real_nuclei_come_once_at_every_offset(real_maps: np.ndarray) -> None:
    whole = kept(real_maps, 1024, (0, 0))
    for offset in OFFSETS:
        rows = kept(real_maps, 256, offset)
        assert largest_shared_part(rows["OUTLINE"]) <= 0.5
        assert rows["AREA"].min() >= 50
        # Not the same to the last: a clump larger than a tile's margin may be split otherwise in each.
        assert abs(len(rows["AREA"]) - len(whole["AREA"])) <= 0.01 * len(whole["AREA"])
        assert abs(rows["AREA"].sum() / whole["AREA"].sum() - 1) < 0.005


def lone_nuclei(largest: float) -> tuple[np.ndarray, np.ndarray]:
    """Maps of ellipses 16 px to `largest` px long that touch nobody, and which of them each pixel belongs to."""
    random, maps = np.random.default_rng(0), np.zeros((1120, 1120, 3), np.uint8)
    for y in range(70, 1120, 140):
        for x in range(70, 1120, 140):
            half = tuple(int(each) for each in random.uniform(16, largest, 2) / 2)
            kind = int(random.integers(1, 5))
            cv2.ellipse(maps, (x, y), half, float(random.uniform(0, 180)), 0, 360, (255, 0, kind), -1)
    return maps, cv2.connectedComponents((maps[..., 0] > 0).astype(np.uint8), connectivity=4)[1]


@pytest.mark.parametrize(("largest", "whole"), [(2 * MARGIN - 4, 1.0), (120, 0.75)])
def test_nuclei_up_to_twice_the_margin_stay_whole_and_up_to_30_um_come_once(largest: float, whole: float) -> None:
    maps, number = lone_nuclei(largest)
    true = np.bincount(number.ravel())
    for offset in OFFSETS:
        rows = kept(maps, 256, offset)
        x, y = rows["CENTROID"].astype(int).T
        assert sorted(number[y, x]) == list(range(1, 65))
        part = rows["AREA"] / true[number[y, x]]
        assert whole <= part.min() <= part.max() <= 1


def crowd(smallest: float, largest: float, count: int) -> np.ndarray:
    """Maps of ellipses that lie on each other, with an edge where they do."""
    random, maps = np.random.default_rng(1), np.zeros((900, 900, 3), np.uint8)
    for _ in range(count):
        half = tuple(int(each / 2) for each in random.uniform(smallest, largest, 2))
        where, turn = tuple(int(each) for each in random.integers(0, 900, 2)), float(random.uniform(0, 180))
        below = maps[..., 0].copy()
        cv2.ellipse(maps, where, half, turn, 0, 360, (255, 0, int(random.integers(1, 5))), -1)
        ring = cv2.ellipse(np.zeros((900, 900), np.uint8), where, half, turn, 0, 360, 1, 3)
        maps[(ring > 0) & (below > 0), 1] = 255
    return maps


@pytest.mark.parametrize(("smallest", "largest", "count"), [(20, 60, 300), (60, 120, 100), (600, 1400, 5)])
def test_crowds_and_nuclei_larger_than_a_tile_have_no_doubles(smallest: float, largest: float, count: int) -> None:
    maps = crowd(smallest, largest, count)
    for offset in OFFSETS:
        rows = kept(maps, 256, offset)
        assert largest_shared_part(rows["OUTLINE"]) <= 0.5
        assert rows["AREA"].min() >= 50
