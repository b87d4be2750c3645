"""Of each nucleus that several tiles saw, one row stays, whatever the order of the rows."""

import time
from contextlib import suppress
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoserve.ensemble.nuclei import seams as stage

seams = partial(stage.seams, network=np.full((1, 1), 7, np.int32), same_share=0.4)

LEFT, RIGHT = (0, 0, 100, 100), (100, 0, 100, 100)


def rows(*nuclei: tuple) -> dict[str, np.ndarray]:
    """Nuclei as (x, y, width, height, area, tile, core), the centroid in the middle of the box, which they fill."""
    box = np.array([nucleus[:4] for nucleus in nuclei], np.float32).reshape(-1, 4)
    return {
        "centroid": box[:, :2] + box[:, 2:] / 2,
        "box": box,
        "type": np.ones(len(nuclei), np.uint8),
        "type_probability": np.ones(len(nuclei), np.float32),
        "area": np.array([nucleus[4] for nucleus in nuclei], np.float32),
        "shape": np.full((len(nuclei), 72), 255, np.uint8),
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
    "a primary fragment": ([(70, 0, 39, 30, 900, 0, LEFT), (101, 0, 7, 9, 50, 1, RIGHT)], [1, 0]),
    "a third of the smaller in common": ([(80, 0, 30, 30, 900, 0, LEFT), (100, 0, 30, 30, 900, 1, RIGHT)], [1, 1]),
    "one primary before two": (
        [(70, 0, 58, 20, 1160, 0, LEFT), (72, 0, 26, 20, 500, 1, RIGHT), (101, 0, 26, 20, 501, 1, RIGHT)],
        [1, 0, 0],
    ),
    "two primaries before one secondary": (
        [(90, 0, 58, 20, 1160, 0, LEFT), (101, 0, 20, 20, 400, 1, RIGHT), (123, 0, 20, 20, 401, 1, RIGHT)],
        [0, 1, 1],
    ),
    "seen by the four tiles of a corner": (
        [(90, 90, 20, 20, 300 + t, t, (t % 2 * 100, t // 2 * 100, 100, 100)) for t in range(4)],
        [0, 0, 0, 1],
    ),
    "larger than a tile": ([(-50, 0, 300, 90, 9999, 0, LEFT), (80, 0, 300, 90, 9000, 1, RIGHT)], [1, 0]),
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
    table = rows(*((*box[row], round(box[row, 2] * box[row, 3]), tile[row], cores[row]) for row in sorted(once)))
    holes, full = random.integers(0, 256, table["shape"].shape), random.integers(0, 2, (len(once), 1)) * 255
    return {**table, "shape": (holes | full).astype(np.uint8)}


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
    box, tile, shape = table["box"].astype(float), table["tile_index"], table["shape"]
    mine = (table["core"][:, :2] <= table["centroid"]) & (table["centroid"] < table["core"][:, :2] + 100)
    rank = [
        (not p.all(), -a, *c[::-1], *b, t)
        for p, a, c, b, t in zip(mine, table["area"], table["centroid"], table["box"], tile, strict=True)
    ]
    kept: list[int] = []
    for row in sorted(range(len(rank)), key=rank.__getitem__):
        if not any(tile[row] != tile[o] and same(box[row], shape[row], box[o], shape[o]) for o in kept):
            kept.append(row)
    assert np.flatnonzero(seams(**table)["KEEP"]).tolist() == sorted(kept)


def same(box: np.ndarray, shape: np.ndarray, kept: np.ndarray, kept_shape: np.ndarray) -> bool:
    """Of both the middles of the parts of their boxes that belong to them, and how many lie in the other."""
    sides = np.minimum(box[:2] + box[2:], kept[:2] + kept[2:]) - np.maximum(box[:2], kept[:2])
    areas = np.array([min(each[2:].prod().round(), each[2:].prod()) for each in (box, kept)])
    if (sides <= 0).any() or sides.prod() < 0.4 * areas.min():
        return False
    shared = [
        area * inside(*one, *other)
        for area, one, other in zip(
            areas, ((box, shape), (kept, kept_shape)), ((kept, kept_shape), (box, shape)), strict=True
        )
    ]
    return bool(sum(shared) / 2 / areas.min() >= 0.4)


def inside(box: np.ndarray, shape: np.ndarray, other: np.ndarray, other_shape: np.ndarray) -> float:
    picture, other_picture = (np.unpackbits(bits).reshape(24, 24) for bits in (shape, other_shape))
    row, column = np.nonzero(picture)
    # In the stage's order: a middle may lie on the border of two parts.
    place = box[:2] + (np.column_stack((column, row)) + 0.5) * (box[2:] / 24) - other[:2]
    x, y = np.floor(place / (other[2:] / 24)).astype(int).T
    there = (x >= 0) & (x < 24) & (y >= 0) & (y < 24)
    return float(other_picture[y[there], x[there]].sum() / len(row))


def test_one_huge_row_among_many_does_not_make_all_pairs_meet() -> None:
    random = np.random.default_rng(0)
    x, y = np.meshgrid(np.arange(300) * 50.0, np.arange(300) * 50.0)
    box = np.column_stack((x.ravel(), y.ravel(), *random.uniform(10, 40, (2, x.size))))
    table = rows((-9000, -9000, 9000, 9000, 10, 7, LEFT), *((*b, 100, 0, (0, 0, 15000, 15000)) for b in box))
    start = time.perf_counter()
    assert seams(**table)["KEEP"].all()
    assert time.perf_counter() - start < 5


def pile(count: int, side: float, tiles: int) -> dict[str, np.ndarray]:
    """Boxes of one place and size, of so many tiles, of areas that differ."""
    return rows(*((0, 0, side, side, 100 + i, i % tiles, LEFT) for i in range(count)))


@pytest.mark.parametrize("side", [1e30, 1e9, 1e-44])
def test_two_rows_of_absurd_size_take_no_time(side: float) -> None:
    start = time.perf_counter()
    # Such boxes may also be refused, as those of no slide.
    with suppress(ValueError):
        assert seams(**pile(2, side, 2))["KEEP"].tolist() == [False, True]
    assert time.perf_counter() - start < 1


def test_a_huge_row_is_found_by_small_ones_wherever_they_lie() -> None:
    table = rows((0, 0, 2**29, 2**29, 2**20, 0, LEFT), (2**28, 2**28, 64, 64, 64, 1, LEFT), (-900, 0, 9, 9, 9, 1, LEFT))
    assert seams(**table)["KEEP"].tolist() == [True, False, True]


def test_one_nucleus_seen_by_a_hundred_thousand_tiles_stays_once_and_soon() -> None:
    table, start = pile(100_000, 20, 100_000), time.perf_counter()
    assert np.flatnonzero(seams(**table)["KEEP"]).tolist() == [99_999]
    assert time.perf_counter() - start < 10


def test_rows_of_one_tile_piled_up_are_refused_soon() -> None:
    table = pile(100_000, 20, 1)
    start = time.perf_counter()
    with pytest.raises(ValueError, match=r"BOX \d+, .*lies on so many of the 100000 rows that nuclei cannot"):
        seams(**table)
    assert time.perf_counter() - start < 10


def test_outlines_that_only_share_a_box_are_two_nuclei() -> None:
    table = rows((80, 0, 30, 30, 450, 0, LEFT), (80, 0, 30, 30, 451, 1, RIGHT))
    upper = np.triu(np.ones((24, 24), np.uint8), 2)
    table["shape"] = np.stack((np.packbits(upper), np.packbits(upper.T)))
    assert seams(**table)["KEEP"].all()
    table["shape"][1] = table["shape"][0]
    assert seams(**table)["KEEP"].tolist() == [True, False]


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ([[7], [8]], "rows of two networks are mixed: NETWORK 0 is 7, NETWORK 1 is 8"),
        ([7], r"NETWORK is \[1\], wanted \[W, 1\]"),
        (np.empty((0, 1)), r"NETWORK is \[0, 1\]"),
    ],
)
def test_windows_of_two_networks_or_none_are_refused(network: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        seams(**rows((0, 0, 20, 20, 300, 0, LEFT)), network=np.array(network, np.int32))
    assert seams(**rows(), network=np.empty((0, 1), np.int32))["KEEP"].shape == (0,)


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
