"""Rows of nuclei: checked, one of each kept, written in an order of their own."""

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
from histoserve.client.results.layers import Shape, Shapes
from histoserve.client.travel.block import Picture, block_of

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


def finished(rows: Rows, keep: Callable[[Any], Any]) -> list[Shape]:
    """The nuclei, after `keep` answered for the rows near a seam."""
    rows.finish(lambda model, arrays: {"KEEP": np.asarray(keep(arrays), bool)})
    [shapes] = rows.layers()
    assert isinstance(shapes, Shapes)
    return list(shapes.each())


def centroids(nuclei: list[Shape]) -> list[tuple[float, float]]:
    return [(each.measurements["Centroid X px"], each.measurements["Centroid Y px"]) for each in nuclei]


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

    first, second = (finished(rows, lambda arrays: []) for rows in (one, other))
    assert centroids(first) == centroids(second) == [(150, 20), (20, 50), (50, 50)]
    assert [each.of for each in first] == [each.of for each in second]


def test_each_nucleus_keeps_its_own_contour(contract: Callable[..., Contract]) -> None:
    rows = Rows(contract(), 0.25)
    rows.take(TILES[:1], answer((0, 50, 60), (0, 40, 30)))
    rows.take(TILES[:1], answer((0, 70, 40), shape=TRIANGLE))

    outlines = [nucleus.l0_outline.tolist() for nucleus in finished(rows, lambda arrays: [])]

    assert outlines[1] == [[69, 39], [71, 39], [71, 41]]
    assert [outline[0] for outline in outlines] == [[39, 29], [69, 39], [49, 59]]


def test_a_nucleus_is_measured_in_its_layer(contract: Callable[..., Contract]) -> None:
    rows = Rows(contract(), 0.5)
    rows.take(TILES, answer((0, 50, 50), (0, 50, 60)))

    nuclei = finished(rows, lambda arrays: [])

    [shapes] = rows.layers()
    assert isinstance(shapes, Shapes)
    assert [(each.name, each.count) for each in shapes.classes] == [("dark", 1), ("light", 1)]
    assert [each.of for each in nuclei] == [0, 1]
    assert nuclei[0].measurements["Area µm^2"] == 1.0
    assert nuclei[0].measurements["Type share of pixels"] == 0.5
    assert centroids(list(shapes.each())) == centroids(nuclei), "a second time they are the same"


@pytest.mark.parametrize(
    ("count", "density", "words"),
    [(2344, 811.6, "2,344 nuclei, 812/mm²"), (1, 0.24, "1 nucleus, 0.24/mm²"), (0, None, "0 nuclei")],
)
def test_the_result_in_words(count: int, density: float | None, words: str) -> None:
    assert Rows.words({"nuclei": {"count": count, "per_mm2": density}}) == words


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


def test_a_request_carries_a_picture_a_window_and_its_core(contract: Callable[..., Contract], tmp_path: Path) -> None:
    block = block_of(Picture(tile, image) for tile, image in zip(TILES, (b"a", b"b"), strict=True))
    request = {**block.inputs(0.25), **Rows(contract(), 0.25).more_inputs(TILES)}

    assert request["TILE"] == [b"a", b"b"]
    for name in ("REGION", "WINDOW"):
        np.testing.assert_array_equal(request[name], [tile.region for tile in TILES])
    assert request["MPP"].tolist() == [0.25]
    np.testing.assert_array_equal(request["CORE"], [tile.core for tile in TILES])
