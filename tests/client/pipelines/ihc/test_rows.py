"""Cells of a stained slide: what counts is the server's word, and what is written of it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from histoserve.client.contract import Contract
from histoserve.client.errors import ServerError
from histoserve.client.grid import PlannedTile
from histoserve.client.pipelines.ihc import Rows
from histoserve.client.pipelines.ihc.tile_reader import reading_of
from histoserve.client.results.layers import Shapes

TILES = [PlannedTile(0, (0, 0, 128, 128), (0, 0, 100, 128)), PlannedTile(1, (72, 0, 128, 128), (100, 0, 100, 128))]
TYPES = "tumour negative,tumour positive,other negative,other positive"
SQUARES = np.array([[0, 0, 32, 32], [32, 0, 32, 32], [96, 0, 32, 32]], np.float32)


@pytest.fixture
def ihc(contract: Callable[..., Contract]) -> Contract:
    return contract(types=TYPES)


def tiles_answer(*cells: tuple[int, float, float, int]) -> dict[str, Any]:
    """Of ihc_tiles: (index in the request, x, y, type) of each cell."""
    centroid = np.array([cell[1:3] for cell in cells], np.float32).reshape(-1, 2)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
    return {
        "CENTROID": centroid,
        "BOX": np.concatenate([centroid - 1, np.full_like(centroid, 2)], axis=1),
        "TYPE": np.array([cell[3] for cell in cells], np.uint8),
        "TYPE_PROBABILITY": np.full(len(cells), 0.5, np.float32),
        "AREA": np.full(len(cells), 4, np.float32),
        "SHAPE": np.full((len(cells), 72), 255, np.uint8),
        "CONTOUR": (centroid[:, None] + corners).reshape(-1, 2),
        "CONTOUR_END": np.arange(1, len(cells) + 1, dtype=np.int32) * 4,
        "TILE_INDEX": np.array([cell[0] for cell in cells], np.int32),
    }


def slide_answer(arrays: Any, **changes: Any) -> dict[str, Any]:
    """As if all tumour cells counted, and none were seen twice."""
    counted = arrays["TYPE"] <= 2
    positive = int((counted & (arrays["TYPE"] == 2)).sum())
    count = np.array([positive, int(counted.sum()) - positive], np.int32)
    answer = {"KEEP": np.ones(len(counted), bool), "COUNTED": counted, "COUNT": count, "REGION": SQUARES}
    return {**answer, "READING": np.array([0.5], np.float32), **changes}


def finished(contract: Contract, *cells: tuple[int, float, float, int], **changes: Any) -> Rows:
    rows = Rows(contract, 0.5)
    rows.take(TILES, tiles_answer(*cells))
    rows.finish(lambda model, arrays: slide_answer(arrays, **changes))
    return rows


def test_the_result_has_counts_ratio_and_region(ihc: Contract) -> None:
    cells = [(0, 10, 10, 1), (0, 20, 10, 1), (0, 30, 10, 1), (0, 40, 10, 2), (0, 50, 50, 3), (1, 150, 50, 4)]
    result = finished(ihc, *cells).result(0.1)

    assert (result["ratio"], result["positive"], result["negative"]) == (0.25, 1, 3)
    assert list(result["cells"].values()) == [3, 1, 1, 1]
    assert result["region_mm2"] == pytest.approx(3 * (32 * 0.5 / 1000) ** 2, abs=1e-6)
    assert Rows.words(result) == "25.0% positive, 1 of 4 tumour cells"
    assert reading_of(result).ratio == 0.25


def test_all_rows_are_asked_about_with_the_scale(ihc: Contract) -> None:
    asked: dict[str, Any] = {}
    rows = Rows(ihc, 0.5)
    rows.take(TILES, tiles_answer((0, 50, 60, 1), (1, 150, 60, 2)))

    def infer(model: str, arrays: Any) -> dict[str, Any]:
        asked.update(arrays)
        return slide_answer(arrays)

    rows.finish(infer)

    assert asked["CENTROID"].tolist() == [[50, 60], [150, 60]]
    assert asked["MPP"].tolist() == [0.5]


@pytest.mark.parametrize("cells", [[], [(0, 10, 10, 3)]])
def test_a_slide_without_tumour_has_no_reading(ihc: Contract, cells: list[tuple[int, float, float, int]]) -> None:
    rows = finished(ihc, *cells, REGION=np.empty((0, 4), np.float32))

    result = rows.result(0.1)
    assert (result["ratio"], result["positive"], result["negative"], result["region_mm2"]) == (None, 0, 0, 0)
    assert Rows.words(result) == "no reading: no tumour found"
    assert np.isnan(reading_of(result).ratio)


def test_cells_are_shown_by_what_they_count_for_and_the_region_in_its_parts(ihc: Contract) -> None:
    rows = finished(ihc, (0, 10, 40, 2), (0, 10, 20, 1), (0, 10, 60, 4))
    [shapes] = rows.layers()
    assert isinstance(shapes, Shapes)

    assert [(each.name, each.count) for each in shapes.classes] == [
        ("lesion region", 2), ("positive tumour cell", 1), ("negative tumour cell", 1), ("not counted", 1)
    ]  # fmt: skip
    region, *cells = [shape for shape in shapes.each() if shape.of == 0], *shapes.each()
    assert [shape.l0_outline.max(axis=0).tolist() for shape in region] == [[64, 32], [128, 32]]
    assert [shape.of for shape in cells] == [0, 0, 2, 1, 3]


def test_partial_results_replace_each_other(ihc: Contract) -> None:
    rows = finished(ihc, (0, 10, 40, 2))
    rows.take(TILES, tiles_answer((1, 150, 20, 1)))
    rows.finish(lambda model, arrays: slide_answer(arrays))

    assert rows.result(0.1)["ratio"] == 0.5
    [shapes] = rows.layers()
    assert [shape.of for shape in shapes.each() if shape.of] == [2, 1]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "changes",
    [
        {"KEEP": np.ones(3, bool)},
        {"COUNTED": np.ones(1, bool)},
        {"COUNT": np.array([5, 5], np.int32)},
        {"COUNT": np.array([-1, 3], np.int32)},
        {"REGION": np.zeros((2, 3), np.float32)},
    ],
)
def test_an_answer_that_contradicts_itself_is_refused(ihc: Contract, changes: dict[str, Any]) -> None:
    with pytest.raises(ServerError, match="_slide answered"):
        finished(ihc, (0, 10, 10, 1), (0, 20, 10, 2), **changes)


def test_a_network_with_other_types_is_refused(contract: Callable[..., Contract]) -> None:
    with pytest.raises(ServerError, match="wanted 4: negative and positive tumour cells"):
        Rows(contract(types="blue,brown"), 0.5)
