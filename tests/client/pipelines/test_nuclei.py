"""Rows of nuclei: checked, one of each kept, written in an order of their own."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from histoserve.client.contract import Contract
from histoserve.client.errors import ServerError, WrongUsage
from histoserve.client.grid import PlannedTile
from histoserve.client.pipelines import rows_of
from histoserve.client.pipelines.nuclei import Rows

TILES = [PlannedTile(5, (0, 0, 128, 128), (0, 0, 100, 100)), PlannedTile(6, (72, 0, 128, 128), (100, 0, 100, 100))]
SQUARE = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
TRIANGLE = SQUARE[:3]


def answer(*nuclei: tuple[int, float, float], shape: Any = SQUARE) -> dict[str, Any]:
    """Of nuclei_tiles: (index in the request, x, y) of each nucleus."""
    centroid = np.array([nucleus[1:] for nucleus in nuclei], np.float32).reshape(-1, 2)
    return {
        "CENTROID": centroid,
        "BOX": np.concatenate([centroid - 1, np.full_like(centroid, 2)], axis=1),
        "TYPE": np.array([1 + i % 2 for i in range(len(nuclei))], np.uint8),
        "TYPE_PROBABILITY": np.full(len(nuclei), 0.5, np.float32),
        "AREA": np.full(len(nuclei), 4, np.float32),
        "SHAPE": np.full((len(nuclei), 72), 255, np.uint8),
        "CONTOUR": (centroid[:, None] + shape).reshape(-1, 2),
        "CONTOUR_END": np.arange(1, len(nuclei) + 1, dtype=np.int32) * len(shape),
        "TILE_INDEX": np.array([nucleus[0] for nucleus in nuclei], np.int32),
    }


def finished(rows: Rows, keep: Callable[[Any], Any]) -> list[dict[str, Any]]:
    """The features, after `keep` answered for the rows near a seam."""
    rows.finish(lambda model, arrays: {"KEEP": np.asarray(keep(arrays), bool)})
    return list(rows.features())


def centroids(features: list[dict[str, Any]]) -> list[tuple[float, float]]:
    return [
        (f["properties"]["measurements"]["Centroid X px"], f["properties"]["measurements"]["Centroid Y px"])
        for f in features
    ]


def test_only_rows_that_another_tile_can_reach_are_asked_about(contract: Callable[..., Contract]) -> None:
    rows = Rows(contract(), 0.25)
    # All are 2 px wide. The third reaches 4 px beyond its core, so what lies within 4 px (and 1 for rounding) is asked.
    rows.take(TILES, answer((0, 50, 50), (0, 94, 50), (0, 103, 50), (1, 106, 50), (1, 107.5, 50), (1, 150, 87)))

    def keep(arrays: Any) -> list[bool]:
        np.testing.assert_array_equal(arrays["CENTROID"], [(94, 50), (103, 50), (106, 50)])
        np.testing.assert_array_equal(arrays["TILE_INDEX"], [5, 5, 6])
        np.testing.assert_array_equal(arrays["CORE"][:, 0], [0, 0, 100])
        return [True, False, True]

    kept = [(50, 50), (94, 50), (106, 50), (107.5, 50), (150, 87)]
    assert centroids(finished(rows, keep)) == kept


def test_an_outline_inside_another_far_from_the_seam_is_asked_about(contract: Callable[..., Contract]) -> None:
    rows = Rows(contract(), 0.25)
    rows.take(TILES[:1], answer((0, 80, 50)))
    # Of the other tile, 60 px wide: it reaches in to x = 71.
    rows.take(TILES[1:], answer((0, 101, 50), shape=SQUARE * 30) | {"BOX": np.array([[71, 20, 60, 60]], np.float32)})

    assert centroids(finished(rows, lambda arrays: arrays["TILE_INDEX"] == 6)) == [(101, 50)]


def test_the_order_of_arrival_does_not_matter(contract: Callable[..., Contract]) -> None:
    one, other = Rows(contract(), 0.25), Rows(contract(), 0.25)
    one.take(TILES, answer((0, 50, 50), (0, 20, 50), (1, 150, 20)))
    other.take(TILES[1:], {**answer((0, 150, 20)), "TYPE": np.array([1], np.uint8)})
    other.take(TILES[:1], answer((0, 50, 50), (0, 20, 50)))

    assert finished(one, lambda arrays: []) == finished(other, lambda arrays: [])


def test_each_nucleus_keeps_its_own_contour(contract: Callable[..., Contract]) -> None:
    rows = Rows(contract(), 0.25)
    rows.take(TILES[:1], answer((0, 50, 60), (0, 40, 30)))
    rows.take(TILES[:1], answer((0, 70, 40), shape=TRIANGLE))

    rings = [feature["geometry"]["coordinates"][0] for feature in finished(rows, lambda arrays: [])]

    assert rings[1] == [[69, 39], [71, 39], [71, 41], [69, 39]]
    assert [ring[0] for ring in rings] == [[39, 29], [69, 39], [49, 59]]
    assert all(ring[0] == ring[-1] for ring in rings)


def test_a_feature_is_what_qupath_reads(contract: Callable[..., Contract]) -> None:
    rows = Rows(contract(), 0.5)
    rows.take(TILES, answer((0, 50, 50)))

    feature = finished(rows, lambda arrays: [])[0]

    assert feature["properties"]["objectType"] == "detection"
    assert feature["properties"]["classification"]["name"] == "dark"
    assert len(feature["properties"]["classification"]["color"]) == 3
    assert feature["properties"]["measurements"]["Area µm^2"] == 1.0
    assert feature["properties"]["measurements"]["Type share of pixels"] == 0.5
    assert json.loads(json.dumps(feature))["geometry"]["type"] == "Polygon"


def test_counts_and_densities_go_into_the_result(contract: Callable[..., Contract]) -> None:
    rows = Rows(contract(), 0.25)
    rows.take(TILES, answer((0, 50, 50), (0, 40, 40), (0, 60, 60)))
    rows.finish(lambda model, arrays: {})

    result = rows.result(tissue_mm2=0.5)

    assert result["nuclei"] == {"count": 3, "per_mm2": 6.0}
    assert result["types"] == {"dark": {"count": 2, "per_mm2": 4.0}, "light": {"count": 1, "per_mm2": 2.0}}
    assert rows.result(tissue_mm2=0)["nuclei"] == {"count": 3, "per_mm2": None}


def test_a_slide_without_nuclei_has_an_empty_result(contract: Callable[..., Contract]) -> None:
    rows = Rows(contract(), 0.25)
    rows.take(TILES, answer())

    assert finished(rows, lambda arrays: []) == []
    assert rows.result(1.0)["nuclei"]["count"] == 0


@pytest.mark.parametrize(
    "broken",
    [
        {"TYPE": np.array([3], np.uint8)},
        {"TYPE": np.array([0], np.uint8)},
        {"TILE_INDEX": np.array([2], np.int32)},
        {"CONTOUR_END": np.array([3], np.int32)},
        {"AREA": np.array([1, 2], np.float32)},
    ],
)
def test_rows_that_contradict_themselves_are_refused(contract: Callable[..., Contract], broken: dict[str, Any]) -> None:
    with pytest.raises(ServerError, match="nuclei_tiles answered"):
        Rows(contract(), 0.25).take(TILES, {**answer((0, 50, 50)), **broken})


def test_an_unknown_pipeline_lists_those_there_are() -> None:
    with pytest.raises(WrongUsage, match=r"'moons' is unknown.*nuclei"):
        rows_of("moons")


def test_a_request_carries_region_and_core(contract: Callable[..., Contract], tmp_path: Path) -> None:
    request = Rows(contract(), 0.25).request(TILES, [b"a", b"b"])

    assert request["TILE"] == [b"a", b"b"]
    np.testing.assert_array_equal(request["REGION"], [tile.region for tile in TILES])
    np.testing.assert_array_equal(request["CORE"], [tile.core for tile in TILES])
