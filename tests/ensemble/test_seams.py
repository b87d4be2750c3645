"""Of each nucleus that several tiles saw, one row stays, whatever the order of the rows."""

import time
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoserve.ensemble import seams as stage

seams = partial(stage.seams, min_iou=0.5, centroid_share=1 / 3, inside_share=0.7)

LEFT, RIGHT = (0, 0, 100, 100), (100, 0, 100, 100)


def rows(*nuclei: tuple) -> dict[str, np.ndarray]:
    """Nuclei as (x, y, width, height, area, tile, core), the centroid in the middle of the box."""
    box = np.array([nucleus[:4] for nucleus in nuclei], np.float32).reshape(-1, 4)
    return {
        "centroid": box[:, :2] + box[:, 2:] / 2,
        "box": box,
        "type": np.ones(len(nuclei), np.uint8),
        "type_probability": np.ones(len(nuclei), np.float32),
        "area": np.array([nucleus[4] for nucleus in nuclei], np.float32),
        "tile_index": np.array([nucleus[5] for nucleus in nuclei], np.int32),
        "core": np.array([nucleus[6] for nucleus in nuclei], np.float32).reshape(-1, 4),
    }


TABLE = {
    "primary before a larger secondary": ([(85, 0, 20, 20, 300, 0, LEFT), (84, 0, 22, 20, 400, 1, RIGHT)], [1, 0]),
    "two primaries: the larger": ([(88, 0, 20, 20, 300, 0, LEFT), (92, 0, 20, 20, 301, 1, RIGHT)], [0, 1]),
    "two secondaries: the larger": ([(92, 0, 20, 20, 300, 0, LEFT), (88, 0, 20, 20, 200, 1, RIGHT)], [1, 0]),
    "equal but for the position: the upper": ([(88, 1, 20, 20, 300, 0, LEFT), (92, 0, 20, 20, 300, 1, RIGHT)], [0, 1]),
    "neighbours": ([(70, 0, 20, 20, 300, 0, LEFT), (90, 0, 20, 20, 300, 1, RIGHT)], [1, 1]),
    "same tile": ([(80, 0, 20, 20, 300, 0, LEFT), (81, 0, 20, 20, 301, 0, LEFT)], [1, 1]),
    "delivered twice": ([(80, 0, 20, 20, 300, 0, LEFT)] * 3, [1, 0, 0]),
    "near centroids, unlike boxes": ([(80, 0, 30, 30, 700, 0, LEFT), (94, 11, 9, 9, 60, 1, RIGHT)], [1, 0]),
    "a secondary fragment": ([(60, 0, 39, 30, 900, 0, LEFT), (92, 0, 7, 9, 50, 1, RIGHT)], [1, 0]),
    "a primary fragment": ([(70, 0, 39, 30, 900, 0, LEFT), (101, 0, 7, 9, 50, 1, RIGHT)], [1, 1]),
    "left border of the core belongs to it": ([(90, 0, 20, 20, 300, 0, LEFT), (90, 0, 20, 20, 200, 1, RIGHT)], [0, 1]),
    "a lone secondary": ([(92, 0, 20, 20, 300, 0, LEFT)], [1]),
    "nothing": ([], []),
}


@pytest.mark.parametrize("name", TABLE)
def test_which_row_stays(name: str) -> None:
    nuclei, expected = TABLE[name]
    keep = seams(**rows(*nuclei))["KEEP"]
    assert keep.dtype == bool
    assert keep.tolist() == [bool(kept) for kept in expected]


def crowd(seed: int, count: int) -> dict[str, np.ndarray]:
    """Nuclei around the corner of four tiles, some seen by several of them a little differently."""
    random = np.random.default_rng(seed)
    seen = np.repeat(np.arange(count), random.integers(1, 4, count))
    box = np.column_stack((random.normal(80, 25, (count, 2)), random.uniform(3, 40, (count, 2))))[seen]
    box += random.integers(-2, 3, box.shape) * (random.random(box.shape) < 0.5)
    box[:, 2:] = np.maximum(box[:, 2:], 1)
    tile = random.integers(0, 4, len(seen))
    cores = np.column_stack((tile % 2 * 100, tile // 2 * 100, np.full((len(seen), 2), 100)))
    # A row that came twice is another test's concern.
    _, once = np.unique(np.column_stack((box.astype(np.float32), tile)), axis=0, return_index=True)
    return rows(*((*box[row], round(box[row, 2] * box[row, 3]), tile[row], cores[row]) for row in sorted(once)))


@given(seed=st.integers(0, 10**6), count=st.integers(0, 40))
@settings(max_examples=80, deadline=None)
def test_the_order_of_the_rows_does_not_matter(seed: int, count: int) -> None:
    table = crowd(seed, count)
    order = np.random.default_rng(seed).permutation(len(table["area"]))
    keep = seams(**table)["KEEP"]
    shuffled = seams(**{name: column[order] for name, column in table.items()})["KEEP"]
    np.testing.assert_array_equal(shuffled, keep[order])


@given(seed=st.integers(0, 10**6), count=st.integers(0, 40))
@settings(max_examples=80, deadline=None)
def test_a_second_time_and_a_second_delivery_change_nothing(seed: int, count: int) -> None:
    table = crowd(seed, count)
    keep = seams(**table)["KEEP"]
    kept = {name: column[keep] for name, column in table.items()}
    twice = {name: np.concatenate((column, column)) for name, column in table.items()}
    assert seams(**kept)["KEEP"].all()
    again = seams(**twice)["KEEP"].reshape(2, -1)
    np.testing.assert_array_equal(again.sum(axis=0), keep)


@given(seed=st.integers(0, 10**6), count=st.integers(0, 40))
@settings(max_examples=80, deadline=None)
def test_kept_and_dropped_rows_are_those_of_a_comparison_of_all_pairs(seed: int, count: int) -> None:
    table = crowd(seed, count)
    box, tile = table["box"].astype(float), table["tile_index"]
    inside = (table["core"][:, :2] <= table["centroid"]) & (table["centroid"] < table["core"][:, :2] + 100)
    rank = [
        (not p.all(), -a, *c[::-1], *b, t)
        for p, a, c, b, t in zip(inside, table["area"], table["centroid"], table["box"], tile, strict=True)
    ]
    kept: list[int] = []
    for row in sorted(range(len(rank)), key=rank.__getitem__):
        if not any(tile[row] != tile[other] and same(box[row], box[other], inside[row].all()) for other in kept):
            kept.append(row)
    assert np.flatnonzero(seams(**table)["KEEP"]).tolist() == sorted(kept)


def same(box: np.ndarray, kept: np.ndarray, primary: bool) -> bool:
    sides = np.minimum(box[:2] + box[2:], kept[:2] + kept[2:]) - np.maximum(box[:2], kept[:2])
    shared, area, kept_area = sides.clip(0).prod(), box[2:].prod(), kept[2:].prod()
    _, shorter = min((area, box[2:].min()), (kept_area, kept[2:].min()))
    near = np.hypot(*(box[:2] + box[2:] / 2 - kept[:2] - kept[2:] / 2)) < shorter / 3
    return bool(shared / (area + kept_area - shared) >= 0.5 or near or (not primary and shared >= 0.7 * area))


def test_one_huge_row_among_many_does_not_make_all_pairs_meet() -> None:
    random = np.random.default_rng(0)
    x, y = np.meshgrid(np.arange(300) * 50.0, np.arange(300) * 50.0)
    box = np.column_stack((x.ravel(), y.ravel(), *random.uniform(10, 40, (2, x.size))))
    table = rows((-9000, -9000, 9000, 9000, 10, 7, LEFT), *((*b, 100, 0, (0, 0, 15000, 15000)) for b in box))
    start = time.perf_counter()
    assert seams(**table)["KEEP"].all()
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("area", np.ones(3, np.float32), r"AREA is \[3\], wanted \[2\]"),
        ("core", np.ones((1, 4), np.float32), r"CORE is \[1, 4\], wanted \[2, 4\]"),
        ("box", np.array([[0, 0, 1, 1], [0, 0, -1, 1]], np.float32), "BOX 1 is"),
        ("centroid", np.array([[0, 0], [np.nan, 0]], np.float32), "row 1 is not finite"),
    ],
)
def test_rows_that_do_not_fit_are_refused(name: str, value: np.ndarray, message: str) -> None:
    table = rows((0, 0, 20, 20, 300, 0, LEFT), (50, 0, 20, 20, 300, 0, LEFT))
    with pytest.raises(ValueError, match=message):
        seams(**{**table, name: value})
