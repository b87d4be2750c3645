"""The reading of a stained slide: the lesion region first, then the tumour cells in it."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from histoserve.ensemble.ihc.region import RegionRule, lesion_region
from histoserve.ensemble.ihc.slide import read

NEGATIVE, POSITIVE, OTHER, STAINED_OTHER = 1, 2, 3, 4
RULE = {"square_um": 16.0, "around": 1, "least_cells": 3, "least_share": 0.5}


def rows(*cells: tuple[float, float, int], mpp: float = 0.5, **changes: Any) -> dict[str, NDArray[Any]]:
    """What `ihc_slide` takes of cells (x, y, type), 8 px wide, all seen by one tile."""
    count = len(cells)
    centroid = np.array([cell[:2] for cell in cells], np.float32).reshape(-1, 2)
    given = {
        "centroid": centroid,
        "box": np.column_stack((centroid - 4, np.full((count, 2), 8))).astype(np.float32),
        "type": np.array([cell[2] for cell in cells], np.uint8),
        "type_probability": np.ones(count, np.float32),
        "area": np.full(count, 64, np.float32),
        "shape": np.full((count, 72), 255, np.uint8),
        "tile_index": np.zeros(count, np.int32),
        "core": np.tile(np.array([0, 0, 10_000, 10_000], np.float32), (count, 1)),
        "network": np.array([[7]], np.int32),
        "mpp": np.array([mpp], np.float32),
    }
    return given | changes


def answered(given: dict[str, NDArray[Any]], **rule: Any) -> dict[str, NDArray[Any]]:
    return read(**given, same_share=0.4, **{**RULE, **rule})


def lattice(types: list[int], x: float = 0, y: float = 0) -> list[tuple[float, float, int]]:
    """Ten in a row, 20 px (10 µm) apart."""
    return [(x + 10 + 20 * (i % 10), y + 10 + 20 * (i // 10), each) for i, each in enumerate(types)]


def test_the_documents_example_reads_25_per_cent() -> None:
    answer = answered(rows(*lattice([NEGATIVE] * 30 + [POSITIVE] * 10)))

    assert answer["COUNT"].tolist() == [10, 30]
    assert answer["READING"].tolist() == [0.25]


@pytest.mark.parametrize("types", [[], [OTHER] * 40, [STAINED_OTHER] * 40])
def test_without_tumour_there_is_no_reading_rather_than_none_positive(types: list[int]) -> None:
    answer = answered(rows(*lattice(types)))

    assert np.isnan(answer["READING"]).tolist() == [True]
    assert answer["COUNT"].tolist() == [0, 0]
    assert answer["REGION"].shape == (0, 4)


def test_all_positive_and_all_negative() -> None:
    assert answered(rows(*lattice([POSITIVE] * 20)))["READING"].tolist() == [1]
    assert answered(rows(*lattice([NEGATIVE] * 20)))["READING"].tolist() == [0]


def test_stained_lymphocytes_count_neither_beside_the_tumour_nor_in_it() -> None:
    tumour = lattice([NEGATIVE] * 29 + [STAINED_OTHER])
    answer = answered(rows(*tumour, *lattice([STAINED_OTHER] * 60, x=400)))

    assert answer["COUNT"].tolist() == [0, 29]
    assert answer["COUNTED"].sum() == 29


def test_what_looks_like_tumour_among_other_cells_is_outside_the_region() -> None:
    among = lattice([POSITIVE if i % 4 == 0 else OTHER for i in range(60)], x=400)
    answer = answered(rows(*lattice([NEGATIVE] * 30), *among))

    assert answer["COUNT"].tolist() == [0, 30]
    assert answer["REGION"][:, 0].max() < 400


def test_a_few_scattered_cells_are_no_region() -> None:
    scattered = [(100.0 * i, 50.0, POSITIVE) for i in range(1, 9)]

    assert np.isnan(answered(rows(*scattered))["READING"][0])
    assert answered(rows(*scattered), least_cells=1)["COUNT"].tolist() == [8, 0]


def test_some_cells_of_a_gland_are_no_region_as_it_is_served_but_a_nest_is() -> None:
    served = {"around": 2, "least_cells": 8}
    gland = lattice([NEGATIVE] * 5 + [OTHER] * 5)
    nest = [(10 + 20 * column, 10 + 20 * row, NEGATIVE) for row in range(3) for column in range(3)]

    assert answered(rows(*gland))["COUNT"].tolist() == [0, 5]
    assert answered(rows(*gland), **served)["COUNT"].tolist() == [0, 0]
    assert answered(rows(*nest), **served)["COUNT"].tolist() == [0, 9]
    assert answered(rows(*nest[:7]), **served)["COUNT"].tolist() == [0, 0]


def test_a_region_that_holds_fewer_cells_than_make_one_is_none() -> None:
    # Of three squares side by side, the middle one has nine tumour cells around it and holds one of them.
    square = [(10, 10, POSITIVE), (22, 10, POSITIVE), (10, 22, POSITIVE), (22, 22, POSITIVE)]
    cells = [*square, (48, 16, POSITIVE), *((x + 64, y, kind) for x, y, kind in square)]

    answer = answered(rows(*cells), least_cells=8)

    assert answer["COUNT"].tolist() == [0, 0]
    assert answer["REGION"].shape == (0, 4)
    assert not answer["COUNTED"].any()
    assert answered(rows(*cells), least_cells=5)["COUNT"].tolist() == [9, 0]


def test_a_cell_that_two_tiles_saw_counts_once() -> None:
    cells = lattice([POSITIVE] * 10)
    seen_again = [*cells, (cells[0][0] + 1, cells[0][1], POSITIVE)]
    given = rows(*seen_again, tile_index=np.array([0] * 10 + [1], np.int32))

    assert answered(given)["COUNT"].tolist() == [10, 0]
    assert answered(given)["KEEP"].sum() == 10


def test_the_order_of_rows_does_not_matter() -> None:
    random = np.random.default_rng(3)
    given = rows(*[(*random.uniform(0, 600, 2), int(kind)) for kind in random.integers(1, 5, 300)])
    order = random.permutation(300)
    whole = {"network", "mpp"}
    shuffled = {name: each if name in whole else each[order] for name, each in given.items()}

    one, other = answered(given), answered(shuffled)

    np.testing.assert_array_equal(one["COUNTED"][order], other["COUNTED"])
    np.testing.assert_array_equal(one["REGION"], other["REGION"])
    assert 0 < one["COUNTED"].sum() < 300


def test_sizes_are_physical() -> None:
    cells = lattice([NEGATIVE] * 29 + [STAINED_OTHER])
    twice = [(2 * x, 2 * y, kind) for x, y, kind in cells]

    one, fine = answered(rows(*cells)), answered(rows(*twice, mpp=0.25))

    np.testing.assert_array_equal(one["COUNTED"], fine["COUNTED"])
    np.testing.assert_array_equal(2 * one["REGION"], fine["REGION"])


def test_the_region_is_what_a_plain_count_says() -> None:
    random = np.random.default_rng(5)
    centroid, tumour = random.uniform(0, 300, (200, 2)), random.random(200) < 0.6
    region = lesion_region(centroid, tumour, 30, RegionRule(15, 1, 3, 0.6))

    for row, column in np.ndindex(region.inside.shape):
        low = (np.array([column, row]) + region.first - 1) * 30
        near = ((centroid >= low) & (centroid < low + 90)).all(axis=1)
        wanted = (near & tumour).sum() >= 3 and (near & tumour).sum() >= 0.6 * near.sum()
        assert region.inside[row, column] == wanted, (row, column)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"type": np.array([1, 5], np.uint8)}, "TYPE 1 is 5, wanted 1 to 4"),
        ({"type": np.array([0, 1], np.uint8)}, "TYPE 0 is 0, wanted 1 to 4"),
        ({"mpp": np.array([np.nan], np.float32)}, "MPP is"),
        ({"mpp": np.array([0], np.float32)}, "MPP is"),
        ({"mpp": np.array([np.inf], np.float32)}, "MPP is"),
        ({"mpp": np.array([0.5, 0.5], np.float32)}, "MPP is"),
        ({"network": np.array([[7], [8]], np.int32)}, "two networks"),
        ({"centroid": np.array([[0, 0], [9e9, 9e9]], np.float32)}, "squares of 16 µm"),
        ({"centroid": np.array([[0, 0], [np.nan, 0]], np.float32)}, "not finite"),
    ],
)
def test_what_is_no_slide_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        answered(rows((10, 10, 1), (60, 10, 2), **changes))
