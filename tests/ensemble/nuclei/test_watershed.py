"""The watershed stage gives what its method says, bit for bit, wherever a nucleus lies."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoserve.benchmark.watershed.bench import reference
from histoserve.benchmark.watershed.synthetic import synthetic_maps
from histoserve.ensemble.nuclei.rules import Rules
from histoserve.ensemble.nuclei.watershed import label_nuclei, watershed

RULES = Rules(0.5, 0.4, 0.6, 0.6, opening_px=1, min_area_px=12, min_marker_px=4, max_hole_px=9)
PARAMETERS = {"identity": 5, "margin_px": 32, "seam_px": 8, **vars(RULES)}


def smooth(random: np.random.Generator, height: int, width: int, sigma: float) -> np.ndarray:
    """Blobs: foreground and edge strength of blurred noise, types in patches."""
    noise = random.normal(0, 1, (height, width, 3))
    maps = cv2.GaussianBlur(noise, (0, 0), sigma).reshape(height, width, 3) * sigma * 200 + 128
    maps[..., 2] = 1 + maps[..., 2] // 64
    return maps.clip((0, 0, 1), (255, 255, 4)).astype(np.uint8)


def noise(random: np.random.Generator, height: int, width: int, share: float) -> np.ndarray:
    maps = random.integers(0, 256, (height, width, 3), np.uint8)
    maps[..., 0] = random.random((height, width)) < share
    return maps * np.array((255, 1, 0), np.uint8) + np.stack(
        [np.zeros((height, width)), np.zeros((height, width)), random.integers(1, 5, (height, width))], -1
    ).astype(np.uint8)


def uniform(height: int, width: int, foreground: int, edge: int) -> np.ndarray:
    return np.full((height, width, 3), (foreground, edge, 2), np.uint8)


MAPS = {
    "crowded nuclei": synthetic_maps(200, 312, 120, seed=1),
    "overlapping crowd": synthetic_maps(129, 97, 90, seed=2),
    "small blobs": smooth(np.random.default_rng(3), 150, 190, 1.5),
    "large blobs": smooth(np.random.default_rng(4), 190, 150, 5),
    "noise": noise(np.random.default_rng(5), 90, 131, 0.7),
    "dense noise": noise(np.random.default_rng(6), 64, 64, 0.97),
    "empty": uniform(50, 70, 0, 0),
    "full without edges": uniform(50, 70, 255, 0),
    "full of edges": uniform(50, 70, 255, 255),
    "one pixel": uniform(1, 1, 255, 0),
    "one row": smooth(np.random.default_rng(7), 1, 200, 3),
    "one column": smooth(np.random.default_rng(8), 200, 1, 3),
}


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("rules", [RULES, Rules(0.3, 0.7, 0.8, 0.9, 0, 0, 0, 0), Rules(0.6, 0.2, 1, 0, 2, 1, 1, 400)])
def test_labels_and_types_are_those_of_the_reference(name: str, rules: Rules) -> None:
    maps = MAPS[name]
    labels, types = label_nuclei(maps, rules)
    expected = reference.label_map(maps, rules)
    np.testing.assert_array_equal(labels, expected)
    votes = [reference.vote(expected == label, maps)[0] for label in range(1, expected.max() + 1)]
    assert labels.dtype == np.int32
    assert types.tolist() == [0, *votes]


def test_the_maps_of_these_tests_reach_every_step() -> None:
    maps = MAPS["small blobs"]
    first = reference.step_1(maps, RULES)
    second = reference.step_2(first, maps, RULES)
    assert (reference.without_holes(maps[..., 0] > 127, 9) != (maps[..., 0] > 127)).any()
    assert len(np.unique(second[first != second])) > 10


@given(seed=st.integers(0, 10**6), height=st.integers(1, 60), width=st.integers(1, 60), sigma=st.floats(0.5, 4))
@settings(max_examples=60, deadline=None)
def test_labels_stay_inside_the_mask_and_lose_no_component(seed: int, height: int, width: int, sigma: float) -> None:
    maps = smooth(np.random.default_rng(seed), height, width, sigma)
    labels, _ = label_nuclei(maps, RULES)
    mask = reference.without_holes(maps[..., 0] >= 127.5, RULES.max_hole_px)
    _, component, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    large = stats[:, cv2.CC_STAT_AREA] >= RULES.min_area_px
    large[0] = False
    np.testing.assert_array_equal(labels > 0, large[component])


@given(
    seed=st.integers(0, 10**6),
    x=st.integers(1, 40),
    y=st.integers(1, 40),
    more=st.integers(1, 40),
    sigma=st.floats(1, 4),
)
@settings(max_examples=60, deadline=None)
def test_a_nucleus_is_the_same_in_a_larger_tile(seed: int, x: int, y: int, more: int, sigma: float) -> None:
    random = np.random.default_rng(seed)
    small = smooth(random, 50, 44, sigma)
    small[[0, -1]] = small[:, [0, -1]] = 0
    large = smooth(random, 50 + y + more, 44 + x + more, sigma)
    inner = np.s_[y : y + 50, x : x + 44]
    large[inner] = small
    labels, types = label_nuclei(small, RULES)
    larger, larger_types = label_nuclei(large, RULES)
    pairs = np.unique(np.stack((labels, larger[inner]), -1).reshape(-1, 2), axis=0)
    assert len(pairs) == len(types) == len(np.unique(pairs[:, 0])) == len(np.unique(pairs[:, 1]))
    np.testing.assert_array_equal(types[pairs[:, 0]], larger_types[pairs[:, 1]])


def stage(maps: np.ndarray, region: list[list[float]], core: list[list[float]], **changes: float) -> dict:
    made = np.full((len(maps), 1), 7, np.int32)
    regions, cores = np.array(region, np.float32), np.array(core, np.float32)
    return watershed(maps, regions, cores, made, made, **{**PARAMETERS, **changes})


def square(side: int = 20, x: int = 6, y: int = 4, extent: int = 8, kind: int = 3) -> np.ndarray:
    """A tile with one square nucleus."""
    maps = np.zeros((1, side, side, 3), np.uint8)
    maps[0, y : y + extent, x : x + extent] = 255, 0, kind
    return maps


def test_a_square_nucleus_in_level_0_pixels() -> None:
    rows = stage(square(), [[100, 200, 40, 60]], [[100, 200, 40, 60]])
    assert rows["CENTROID"].tolist() == [[100 + 10 * 2, 200 + 8 * 3]]
    assert rows["BOX"].tolist() == [[112, 212, 16, 24]]
    assert rows["AREA"].tolist() == [64 * 6]
    assert rows["TYPE"].tolist() == [3]
    assert rows["TYPE_PROBABILITY"].tolist() == [1]
    assert rows["CONTOUR"].tolist()[:3] == [[113, 212], [127, 212], [128, 213.5]]
    assert (len(rows["CONTOUR"]), rows["CONTOUR_END"].tolist(), rows["TILE_INDEX"].tolist()) == (8, [8], [0])


def test_rows_are_those_of_the_reference() -> None:
    maps = MAPS["crowded nuclei"]
    expected = reference.nuclei(maps, RULES)
    tile = [[0, 0, maps.shape[1], maps.shape[0]]]
    rows = stage(maps[None], tile, tile)
    for name in ("CENTROID", "BOX", "TYPE", "TYPE_PROBABILITY", "AREA"):
        np.testing.assert_array_equal(rows[name], np.array(expected[name], rows[name].dtype))
    np.testing.assert_array_equal(rows["CONTOUR"], np.concatenate(expected["CONTOUR"]).astype(np.float32))
    np.testing.assert_array_equal(rows["CONTOUR_END"], np.cumsum([len(contour) for contour in expected["CONTOUR"]]))


def test_rows_of_several_tiles_follow_each_other_and_do_not_depend_on_each_other() -> None:
    tiles = np.stack([synthetic_maps(96, 96, 30, seed) for seed in range(5)])
    regions = [[100.0 * index, 0, 48, 48] for index in range(5)]
    together = stage(tiles, regions, regions)
    alone = [stage(tiles[[i]], [regions[i]], [regions[i]]) for i in range(5)]
    for name in ("CENTROID", "BOX", "TYPE", "TYPE_PROBABILITY", "AREA", "SHAPE", "CONTOUR", "NETWORK"):
        np.testing.assert_array_equal(together[name], np.concatenate([rows[name] for rows in alone]))
    assert together["TILE_INDEX"].tolist() == [i for i in range(5) for _ in alone[i]["AREA"]]
    assert together["CONTOUR_END"][-1] == len(together["CONTOUR"])
    assert (np.diff(together["CONTOUR_END"]) >= 4).all()


@pytest.mark.parametrize(("core_x", "count"), [(18, 1), (18.5, 0), (0, 1), (8, 1)])
def test_the_core_grown_by_the_seam_decides_by_centroid(core_x: float, count: int) -> None:
    rows = stage(square(40, x=6, y=4), [[0, 0, 40, 40]], [[core_x, 0, 10, 40]], seam_px=8)
    assert len(rows["AREA"]) == count


def test_the_grown_core_ends_before_its_far_border() -> None:
    region = [[0, 0, 40, 40]]
    assert len(stage(square(40, x=6), region, [[0, 0, 2, 40]], seam_px=8)["AREA"]) == 0
    assert len(stage(square(40, x=6), region, [[0, 0, 2.5, 40]], seam_px=8)["AREA"]) == 1


def test_a_nucleus_at_the_tile_border_is_reported() -> None:
    rows = stage(square(x=0, y=12), [[0, 0, 20, 20]], [[0, 0, 20, 20]])
    assert rows["BOX"].tolist() == [[0, 12, 8, 8]]


@pytest.mark.parametrize("tiles", [0, 2])
def test_no_nuclei_give_empty_rows(tiles: int) -> None:
    region = np.ones((tiles, 4), np.float32)
    made = np.zeros((tiles, 1), np.int32)
    rows = watershed(np.zeros((tiles, 8, 9, 3), np.uint8), region, region, made, made, **PARAMETERS)
    kinds = {name: (tensor.shape, tensor.dtype.name) for name, tensor in rows.items()}
    assert kinds == {
        "CENTROID": ((0, 2), "float32"),
        "BOX": ((0, 4), "float32"),
        "TYPE": ((0,), "uint8"),
        "TYPE_PROBABILITY": ((0,), "float32"),
        "AREA": ((0,), "float32"),
        "SHAPE": ((0, 72), "uint8"),
        "CONTOUR": ((0, 2), "float32"),
        "CONTOUR_END": ((0,), "int32"),
        "TILE_INDEX": ((0,), "int32"),
        "NETWORK": ((tiles, 1), "int32"),
    }


GOOD = [0.0, 0.0, 20.0, 20.0]


@pytest.mark.parametrize(
    ("window", "core", "message"),
    [
        ([GOOD], [GOOD, GOOD], r"WINDOW is \[1, 4\], wanted \[2, 4\]"),
        ([GOOD, GOOD], [GOOD], r"CORE is \[1, 4\]"),
        ([GOOD, [0, 0, 0, 20]], [GOOD, GOOD], r"WINDOW 1 is \[0.0, 0.0, 0.0, 20.0\]"),
        ([GOOD, GOOD], [GOOD, [0, float("nan"), 5, 5]], "CORE 1 is .*nan"),
        ([GOOD, GOOD], [GOOD, [20, 0, 5, 5]], r"CORE 1 is \[20.0, 0.0, 5.0, 5.0\], apart from WINDOW 1"),
    ],
)
def test_windows_and_cores_that_do_not_fit_are_refused(window: list, core: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stage(np.concatenate((square(), square())), window, core)


@pytest.mark.parametrize(
    "maps", [np.zeros((1, 8, 8, 2), np.uint8), np.zeros((1, 8, 8, 3)), np.zeros((1, 0, 8, 3), "u1")]
)
def test_other_maps_are_refused(maps: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"MAPS is .* wanted uint8"):
        stage(maps, [GOOD], [GOOD])


@pytest.mark.parametrize("change", [{"split_ratio": 1.5}, {"min_area_px": -1}, {"seam_px": 40}])
def test_impossible_parameters_are_refused(change: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        stage(square(), [GOOD], [GOOD], **change)


@pytest.mark.parametrize("shape", [(257, 1, 1, 3), (1, 4097, 4096, 3)])
def test_more_maps_than_the_config_allows_are_refused(shape: tuple[int, ...]) -> None:
    region = np.tile(np.array([[0, 0, 9, 9]], np.float32), (shape[0], 1))
    made = np.zeros((shape[0], 1), np.int32)
    limits = {"max_maps": 256, "max_map_px": 4096**2}
    with pytest.raises(ValueError, match="wanted at most 256 maps in a request and 16777216 pixels in each"):
        watershed(np.zeros(shape, np.uint8), region, region, made, made, **PARAMETERS, **limits)


def test_a_long_thin_map_is_a_map() -> None:
    region = np.array([[0, 0, 9, 9]], np.float32)
    made = np.zeros((1, 1), np.int32)
    rows = watershed(np.full((1, 100_000, 1, 3), 255, np.uint8), region, region, made, made, **PARAMETERS)
    assert len(rows["AREA"]) <= 1
