"""The K best tiles of each type are the same however a slide's rows are cut, ordered, repeated and filtered."""

import time
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoserve.ensemble.peakmap.filter import peakmap_filter
from histoserve.ensemble.peakmap.select import peakmap_select

Rows = dict[str, np.ndarray]

TYPES = 3
NO_FLOOR = np.full(TYPES, -1, np.float32)
KS = st.integers(1, 6)
SEEDS = st.integers(0, 10**6)


def rows(*scores: tuple[float, ...]) -> Rows:
    """A tile for each tuple, 10 px wide, side by side from left to right; the map of tile i is full of i + 1."""
    count = len(scores)
    region = [(10 * i, 0, 10, 10) for i in range(count)]
    return {
        "region": np.array(region, np.float32).reshape(-1, 4),
        "score": np.array(scores, np.float32).reshape(count, TYPES if not scores else len(scores[0])),
        "feature_map": np.arange(1, count + 1, dtype=np.float16)[:, None, None, None].repeat(2, 1),
        "network": np.full((count, 1), 7, np.int32),
    }


def slide(random: np.random.Generator, count: int) -> Rows:
    """Tiles on a grid in any order; few different scores, so many are equal."""
    place = random.permutation(2 * count + 1)[:count]
    return {
        "region": np.column_stack((place % 5, place // 5, np.ones((count, 2)))).astype(np.float32),
        "score": (random.integers(0, 9, (count, TYPES)) / 8).astype(np.float32),
        "feature_map": random.normal(size=(count, 2, 1, 3)).astype(np.float16),
        "network": np.full((count, 1), 7, np.int32),
    }


def pick(table: Rows, chosen: np.ndarray) -> Rows:
    return {name: column[chosen] for name, column in table.items()}


def joined(*tables: Rows) -> Rows:
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


def filtered(table: Rows, k: int, floor: np.ndarray = NO_FLOOR) -> Rows:
    box = np.zeros((len(table["score"]), 1, 4 + table["score"].shape[1]), np.float32)
    result = peakmap_filter(**table, decoder=table["network"], box=box, floor=floor, identity=1, k=k, threshold=0.5)
    del result["BOX"]
    # Of all tiles; as many as there are rows are as good.
    result["NETWORK"] = np.full((len(result["SCORE"]), 1), 7, np.int32)
    return {name.lower(): column for name, column in result.items()}


def assert_same(one: Rows, other: Rows) -> None:
    """To the last bit."""
    assert {name: (a.dtype, a.shape, a.tobytes()) for name, a in one.items()} == {
        name: (a.dtype, a.shape, a.tobytes()) for name, a in other.items()
    }


select = partial(peakmap_select, threshold=0.5)

TABLE = {
    "the best two": (2, [(0.6,), (0.9,), (0.7,)], [[1, 2]]),
    "fewer than k": (2, [(0.2,), (0.5,), (0.4,)], [[1, None]]),
    "none": (2, [(0.2,), (0.4,)], [[None, None]]),
    "no tile at all": (2, [], [[None, None]] * TYPES),
    "the threshold itself has the type": (1, [(0.5,)], [[0]]),
    "of equal scores the left ones": (2, [(0.7,), (0.7,), (0.7,)], [[0, 1]]),
    "one tile in two lists": (2, [(0.9, 0.6), (0.8, 0.1)], [[0, 1], [0, None]]),
    "k = 1": (1, [(0.6, 0.9), (0.9, 0.6)], [[1], [0]]),
    "k larger than the slide": (4, [(0.6,)], [[0, None, None, None]]),
}


@pytest.mark.parametrize("name", TABLE)
def test_which_tiles_are_peaks(name: str) -> None:
    k, scores, expected = TABLE[name]
    found = select(**rows(*scores), k=k)
    for t, places in enumerate(expected):
        peaks = [place for place in places if place is not None]
        rest = [0] * (k - len(peaks))
        assert found["PEAK_REGION"][t, :, 0].tolist() == [10 * place for place in peaks] + rest
        assert found["PEAK_SCORE"][t].tolist() == [np.float32(scores[p][t]) for p in peaks] + [r - 1 for r in rest]
        # The map of tile i is full of i + 1; the all-zero map stands for a type without tiles.
        maps = [found["PEAK_MAP"][index].mean() for index in found["PEAK_INDEX"][t] if index >= 0]
        assert maps == ([place + 1 for place in peaks] or [0])


def test_each_peak_map_comes_once_after_the_all_zero_map() -> None:
    found = select(**rows((0.9, 0.6), (0.1, 0.1), (0.8, 0.7)), k=2)
    assert found["PEAK_MAP"][:, 0, 0, 0].tolist() == [0, 1, 3]
    assert found["PEAK_INDEX"].tolist() == [[1, 2], [2, 1]]


def test_equal_scores_go_by_row_of_the_slide_first() -> None:
    table = rows((0.7,), (0.7,), (0.7,))
    table["region"] = np.array([(0, 9, 5, 5), (8, 1, 5, 5), (8, 1, 4, 5)], np.float32)
    assert select(**table, k=3)["PEAK_REGION"][0].tolist() == [[8, 1, 4, 5], [8, 1, 5, 5], [0, 9, 5, 5]]


@given(seed=SEEDS, count=st.integers(0, 30), k=KS)
@settings(max_examples=100, deadline=None)
def test_peaks_are_those_of_a_sorted_list(seed: int, count: int, k: int) -> None:
    table = slide(np.random.default_rng(seed), count)
    found = select(**table, k=k)
    for t in range(TYPES):
        having = [(-s[t], r[1], r[0]) for s, r in zip(table["score"], table["region"], strict=True) if s[t] >= 0.5]
        best = [(-score, x, y) for score, y, x in sorted(having)[:k]]
        places = found["PEAK_REGION"][t, : len(best), :2].tolist()
        assert [(s, *p) for s, p in zip(found["PEAK_SCORE"][t].tolist(), places, strict=False)] == best
        assert (found["PEAK_SCORE"][t, len(best) :] == -1).all()


def requests(random: np.random.Generator, table: Rows) -> list[Rows]:
    """Any split of the rows into requests in any order, some delivered twice."""
    order = random.permutation(len(table["score"]))
    cuts = np.sort(random.integers(0, len(order) + 1, random.integers(0, 6)))
    parts = [pick(table, part) for part in np.split(order, cuts)]
    return [parts[i] for i in random.permutation(np.repeat(np.arange(len(parts)), random.integers(1, 3, len(parts))))]


@given(seed=SEEDS, count=st.integers(0, 40), k=KS)
@settings(max_examples=150, deadline=None)
def test_split_order_repetition_and_filter_do_not_change_a_bit(seed: int, count: int, k: int) -> None:
    random = np.random.default_rng(seed)
    table = slide(random, count)
    parts = requests(random, table)
    expected = select(**table, k=k)
    assert_same(select(**joined(*parts), k=k), expected)
    assert_same(select(**joined(*(filtered(part, k) for part in parts)), k=k), expected)


@given(seed=SEEDS, count=st.integers(0, 40), k=KS)
@settings(max_examples=150, deadline=None)
def test_a_rising_floor_does_not_change_a_bit(seed: int, count: int, k: int) -> None:
    random = np.random.default_rng(seed)
    table = slide(random, count)
    parts, kept, floors = requests(random, table), [], [NO_FLOOR]
    for part in parts:
        # A request may have left when the floor was any of the lower ones.
        kept.append(filtered(part, k, floors[random.integers(len(floors))]))
        last = select(**joined(*kept), k=k)["PEAK_SCORE"][:, -1]
        assert (last >= floors[-1]).all()
        floors.append(last)
    assert_same(select(**joined(*kept), k=k), select(**table, k=k))


@given(seed=SEEDS, count=st.integers(0, 40), k=KS)
@settings(max_examples=150, deadline=None)
def test_the_filter_is_idempotent_and_associative(seed: int, count: int, k: int) -> None:
    random = np.random.default_rng(seed)
    table = slide(random, count)
    part = random.integers(0, 3, count)
    a, b, c = (pick(table, part == number) for number in range(3))
    expected = filtered(table, k)
    assert_same(filtered(expected, k), expected)
    assert_same(filtered(joined(filtered(a, k), filtered(joined(filtered(c, k), filtered(b, k)), k)), k), expected)
    assert_same(filtered(joined(filtered(joined(b, a), k), c), k), expected)


def test_a_score_at_the_floor_stays_and_one_below_goes() -> None:
    table = rows((0.6, 0.9, 0), (0.7, 0.2, 0), (0.8, 0, 0))
    floor = np.array([0.7, 0.95, -1], np.float32)
    assert filtered(table, 3, floor)["region"][:, 0].tolist() == [10, 20]


def test_a_request_without_any_peak_keeps_the_shape_of_its_maps() -> None:
    kept = filtered(rows((0.1, 0.2, 0.3), (0, 0, 0)), 2)
    shapes = {name: column.shape for name, column in kept.items()}
    assert shapes == {"region": (0, 4), "score": (0, 3), "feature_map": (0, 2, 1, 1), "network": (0, 1)}
    assert select(**kept, k=2)["PEAK_MAP"].tolist() == [[[[0]], [[0]]]]


def test_positions_of_either_zero_are_one_tile() -> None:
    table = rows((0.6,), (0.6,))
    table["region"] = np.array([(0.0, 0, 9, 9), (-0.0, 0, 9, 9)], np.float32)
    table["feature_map"][:] = 1
    assert (select(**table, k=2)["PEAK_SCORE"] >= 0).sum() == 1


BAD = {
    "nan": ("score", np.array([[0.6, np.nan], [0, 0]]), r"SCORE 0, of the region \[0.*nan.*from 0 to 1"),
    "infinite": ("score", np.array([[0.6, 0], [np.inf, 0]]), "SCORE 1"),
    "above 1": ("score", np.array([[0.6, 1.01], [0, 0]]), r"SCORE 0.*1\.00"),
    "negative": ("score", np.array([[0.6, 0.6], [-1, 0]]), "SCORE 1"),
    "scores missing": ("score", np.ones((1, 2)), r"SCORE is \[1, 2\], wanted \[2, types\]"),
    "flat map": ("feature_map", np.ones((2, 4)), r"FEATURE_MAP is \[2, 4\], wanted \[2, channels, height, width\]"),
    "infinite map": ("feature_map", np.full((2, 2, 1, 1), np.inf), "FEATURE_MAP 0 is not finite.*FP16"),
    "no region": ("region", np.array([(0, 0, 9, 9), (9, 0, 0, 9)]), "REGION 1 is"),
    "contradicting scores": ("region", np.array([(0, 0, 9, 9)] * 2), "rows 0 and 1 .*differ in SCORE.*mixed"),
}


@pytest.mark.parametrize("name", BAD)
def test_rows_that_cannot_be_are_refused(name: str) -> None:
    column, value, message = BAD[name]
    table = rows((0.6, 0.6), (0.7, 0.7))
    bad = {**table, column: value.astype(table[column].dtype)}
    with pytest.raises(ValueError, match=message):
        select(**bad, k=2)
    with pytest.raises(ValueError, match=message):
        filtered(bad, 2, NO_FLOOR[:2])


def test_one_tile_with_two_maps_is_refused() -> None:
    table = rows((0.6,), (0.6,))
    table["region"][:] = (0, 0, 9, 9)
    with pytest.raises(ValueError, match=r"rows 0 and 1 .*differ in FEATURE_MAP"):
        select(**table, k=2)


@pytest.mark.parametrize(
    ("floor", "message"),
    [([0, 0], r"FLOOR is \[2\], wanted \[3\]"), ([0, np.nan, 0], "FLOOR is .*nan"), ([[0, 0, 0]], r"\[1, 3\]")],
)
def test_a_floor_that_does_not_fit_is_refused(floor: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        filtered(rows((0.6, 0.6, 0.6)), 2, np.array(floor, np.float32))


@pytest.mark.parametrize(
    ("network", "message"),
    [([[7], [8], [7]], "rows of two networks are mixed: NETWORK 0 is 7, NETWORK 1.* 8"), ([7, 7], r"NETWORK is \[2\]")],
)
def test_tiles_of_two_networks_are_refused(network: list, message: str) -> None:
    table = {**rows((0.6,), (0.7,)), "network": np.array(network, np.int32)}
    with pytest.raises(ValueError, match=message):
        select(**table, k=2)


def test_the_filter_tells_the_network_of_every_tile_and_of_what_decoded_it() -> None:
    table, box = rows((0.1, 0, 0), (0.9, 0, 0), (0, 0, 0)), np.zeros((3, 1, 7), np.float32)
    decoder = np.array([[1], [1], [2]], np.int32)
    found = peakmap_filter(**table, decoder=decoder, box=box, floor=NO_FLOOR, identity=1, k=2, threshold=0.5)
    assert (len(found["SCORE"]), found["NETWORK"].shape) == (1, (3, 1))
    first, second, third = found["NETWORK"][:, 0].tolist()
    assert first == second != third


def test_boxes_are_returned_in_level_0_pixels() -> None:
    table = rows((0.6, 0, 0), (0.4, 0, 0), (0, 0, 0.7))
    box = np.zeros((3, 2, 7), np.float32)
    box[2, 0] = (0.5, 0.25, 0.1, 0.2, 0, 0, 0.7)
    found = peakmap_filter(**table, decoder=table["network"], box=box, floor=NO_FLOOR, identity=1, k=2, threshold=0.5)[
        "BOX"
    ]
    assert found[0].tolist() == [[0] * 7] * 2
    np.testing.assert_allclose(found[1, 0], (25, 2.5, 1, 2, 0, 0, 0.7), rtol=1e-6)
    assert not found[1, 1].any()


@pytest.mark.parametrize("number", [np.nan, np.inf, -3e38])
def test_boxes_that_are_nowhere_are_refused(number: float) -> None:
    box = np.zeros((3, 2, 7), np.float32)
    box[1, 0, 2] = number
    table = rows((0.6, 0, 0), (0.4, 0, 0), (0, 0, 0.7))
    rest = {"decoder": table["network"], "floor": NO_FLOOR, "identity": 1, "k": 2, "threshold": 0.5}
    with pytest.raises(ValueError, match="BOX 1 is not finite"):
        peakmap_filter(**table, **rest, box=box)


@pytest.mark.parametrize("shape", [(2, 1, 7), (3, 1, 6), (3, 7)])
def test_boxes_that_do_not_fit_are_refused(shape: tuple[int, ...]) -> None:
    table = rows((0.6, 0, 0), (0.4, 0, 0), (0, 0, 0.7))
    rest = {"decoder": table["network"], "floor": NO_FLOOR, "identity": 1, "k": 2, "threshold": 0.5}
    with pytest.raises(ValueError, match=r"BOX is \[.*wanted \[3, boxes, 4 \+ 3\]"):
        peakmap_filter(**table, box=np.zeros(shape, np.float32), **rest)


def test_a_map_of_no_row_that_says_to_be_huge_allocates_nothing() -> None:
    table = rows((0.6,)) | {"feature_map": np.empty((0, 2**20, 2**20, 1), np.float16)}
    none = {name: tensor[:0] for name, tensor in table.items()}
    with pytest.raises(ValueError, match=r"FEATURE_MAP is \[0, 1048576, 1048576, 1\]; wanted at most"):
        peakmap_select(**none, k=1, threshold=0.5, max_map_values=2**20)


def test_no_peaks_at_all_is_a_mistake_of_the_config() -> None:
    with pytest.raises(ValueError, match="k must be 1 or more, got 0: correct the model's config"):
        select(**rows((0.6,)), k=0)


def test_a_slide_of_many_tiles_takes_no_loop_over_them() -> None:
    table = slide(np.random.default_rng(0), 200_000)
    start = time.perf_counter()
    select(**table, k=10)
    assert time.perf_counter() - start < 2
