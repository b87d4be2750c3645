"""Peaks of a slide: the floor rises and changes nothing, and what is written of them."""

import json
import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoserve.client.analyze import Order, Report, analyze
from histoserve.client.contract import Contract, ModelRecord
from histoserve.client.errors import ServerError
from histoserve.client.grid import PlannedTile
from histoserve.client.pipelines.peakmap.peaks import Peaks
from histoserve.client.pipelines.peakmap.rows import Rows
from histoserve.client.results.layers import Cards, Shapes
from histoserve.ensemble.peakmap.filter import peakmap_filter
from histoserve.ensemble.peakmap.pool import peakmap_pool
from histoserve.ensemble.peakmap.select import peakmap_select

TYPES, CLASSES = ("ascus", "lsil", "hsil"), ("negative", "low_grade", "high_grade")
K, THRESHOLD, TILE_PX = 3, 0.5, 32
NO_FLOOR = np.full(3, -1, np.float32)
Outputs = dict[str, np.ndarray]


def peak_contract() -> Contract:
    parameters = {"tile_px": str(TILE_PX), "mpp": "0.5", "k": str(K), "threshold": str(THRESHOLD)}
    parameters |= {"types": ", ".join(TYPES), "classes": ", ".join(CLASSES)}
    return Contract("peakmap", parameters, ("TILE", "REGION", "FLOOR"), 4, (ModelRecord("peakmap_tiles", "1", None),))


@dataclass
class PeakWire:
    """Fits `connect.Wire`; a tile's scores are its mean red, green and blue in 0-1."""

    floor: bool = True
    """False: the server is told none."""
    network: Callable[[int], int] = lambda request: 7
    floors: list[np.ndarray] = field(default_factory=list)

    def versions(self) -> list[str]:
        return ["peaks 1.0"]

    def contract(self, pipeline: str) -> Contract:
        return peak_contract()

    def record(self) -> list[dict[str, Any]]:
        return []

    def stop(self) -> None: ...

    def infer(self, model: str, arrays: Any) -> Outputs:
        if model == "peakmap_slide":
            return slide_answer(arrays)
        self.floors.append(arrays["FLOOR"])
        images = [cv2.imdecode(np.frombuffer(tile, np.uint8), cv2.IMREAD_COLOR) for tile in arrays["TILE"]]
        score = np.array([image.mean(axis=(0, 1))[::-1] / 255 for image in images], np.float32)
        network = self.network(len(self.floors))
        return tiles_answer(arrays["REGION"], score, arrays["FLOOR"] if self.floor else NO_FLOOR, network)


def place(order: Order) -> Path:
    """Of the result."""
    return order.out / order.slide.stem / order.pipeline


def boxes_of(score: np.ndarray) -> np.ndarray:
    """In each tile the same box, of the tile's scores."""
    place = np.broadcast_to(np.float32([0.25, 0.5, 0.25, 0.125]), (len(score), 4))
    return np.concatenate((place, score), axis=1)[:, None]


def tiles_answer(region: np.ndarray, score: np.ndarray, floor: np.ndarray, network: int = 7, k: int = K) -> Outputs:
    maps = score.astype(np.float16)[:, :, None, None].repeat(16, 3)
    networks = np.full((len(score), 1), network, np.int32)
    kept = peakmap_filter(
        score, maps, region, networks, networks, boxes_of(score), floor, identity=1, k=k, threshold=THRESHOLD
    )
    return {"TILE_REGION": kept.pop("REGION"), **kept, "NETWORK": networks}


def without_network(answer: Outputs) -> Outputs:
    """As a pipeline's rows get it: the network is checked before."""
    return {name: array for name, array in answer.items() if name != "NETWORK"}


def told(rows: Outputs) -> Outputs:
    return {**rows, "NETWORK": np.array([[7]], np.int32)}


def slide_answer(rows: Outputs) -> Outputs:
    columns = (rows[name] for name in ("TILE_REGION", "SCORE", "FEATURE_MAP", "NETWORK"))
    peaks = peakmap_select(*columns, k=K, threshold=THRESHOLD)
    embedding = peaks["PEAK_MAP"][:, :, 0, 0].astype(np.float32)
    pooled = peakmap_pool(embedding, embedding[:, :1] * 8, peaks["PEAK_INDEX"])
    grade = 2 if peaks["PEAK_SCORE"][2, 0] >= 0 else int((peaks["PEAK_SCORE"] >= 0).any())
    probability = np.where(np.arange(3) == grade, 0.8, 0.1).astype(np.float32)
    names = ("PEAK_REGION", "PEAK_SCORE")
    return {"PROBABILITY": probability, "ATTENTION": pooled["ATTENTION"], **{name: peaks[name] for name in names}}


def finished(score: float) -> Rows:
    """Of a slide of one tile with this score for the first type."""
    collected, tile = Rows(peak_contract(), 0.5), PlannedTile(0, (0, 0, 32, 32), (0, 0, 32, 32))
    region = np.array([tile.region], np.float32)
    collected.take([tile], without_network(tiles_answer(region, np.array([(score, 0, 0)], np.float32), NO_FLOOR)))
    collected.finish(lambda model, arrays: slide_answer(told(arrays)))
    return collected


class Silent:
    """A watcher."""

    def phase(self, text: str) -> None: ...

    def say(self, text: str) -> None: ...

    def planned(self, tiles: int) -> None: ...

    def done(self, tiles: int) -> None: ...


def painted(path: Path, colours: np.ndarray) -> Path:
    """A slide of one colour (RGB) a tile, (rows, columns, 3)."""
    cv2.imwrite(str(path), colours[..., ::-1].astype(np.uint8).repeat(TILE_PX, 0).repeat(TILE_PX, 1))
    return path


@pytest.fixture
def order(tmp_path: Path) -> Order:
    """Of a slide of 6 × 8 tiles, all of which have some type."""
    colours = np.random.default_rng(3).integers(0, 200, (6, 8, 3))
    return Order(painted(tmp_path / "cells.png", colours), "peakmap", tmp_path / "out", mpp=0.5, in_flight=1)


def run(order: Order, wire: Any = None) -> Report:
    return analyze(order, lambda: nullcontext(wire or PeakWire()), Silent())


def rows(*tiles: tuple[int, float], score_of_others: float = 0) -> Outputs:
    """Rows of tiles in a line, each (x, score of the first type)."""
    score = np.array([(score, score_of_others, 0) for _, score in tiles], np.float32).reshape(-1, 3)
    return {
        "TILE_REGION": np.array([(x, 0, 1, 1) for x, _ in tiles], np.float32).reshape(-1, 4),
        "SCORE": score,
        "FEATURE_MAP": score.astype(np.float16)[:, :, None, None],
        "BOX": boxes_of(score),
    }


def test_the_floor_is_the_score_of_the_kth_best() -> None:
    peaks = Peaks(3, 2, 0.5)
    floors = []
    for tile in [(0, 0.6), (1, 0.4), (0, 0.6), (2, 0.9), (3, 0.7), (4, 0.65)]:
        peaks.add(rows(tile))
        floors.append(round(float(peaks.floor[0]), 2))
    assert floors == [-1, -1, -1, 0.6, 0.7, 0.7]
    assert peaks.floor.tolist()[1:] == [-1, -1]
    assert peaks.rows is not None
    assert peaks.rows["TILE_REGION"][:, 0].tolist() == [2, 3]


@given(seed=st.integers(0, 10**6), count=st.integers(0, 150), k=st.integers(1, 5))
@settings(max_examples=100, deadline=None)
def test_what_is_kept_gives_the_peaks_of_the_whole_slide(seed: int, count: int, k: int) -> None:
    random = np.random.default_rng(seed)
    place, score = random.permutation(count), (random.integers(0, 9, (count, 3)) / 8).astype(np.float32)
    region = np.column_stack((place % 5, place // 5, np.ones((count, 2)))).astype(np.float32)
    peaks, last = Peaks(3, k, THRESHOLD), NO_FLOOR
    for part in np.array_split(np.repeat(np.arange(count), 2), random.integers(1, 9)):
        if len(part):
            peaks.add(without_network(tiles_answer(region[part], score[part], peaks.floor_for(region[part]), k=k)))
        assert (peaks.floor >= last).all()
        last = peaks.floor
    whole = without_network(tiles_answer(region, score, NO_FLOOR, k=k))
    kept = peaks.rows or {name: array[:0] for name, array in whole.items()}
    assert len(kept["SCORE"]) <= 3 * k
    for name, array in whole.items():
        assert array.tobytes() == kept[name].tobytes()


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (rows((0, 0.7)), "two rows with a different SCORE for one tile"),
        ({**rows((0, 0.6)), "FEATURE_MAP": np.ones((1, 3, 1, 1), np.float16)}, "different FEATURE_MAP"),
    ],
)
def test_rows_that_contradict_those_before_change_nothing(second: Outputs, message: str) -> None:
    peaks = Peaks(3, 1, 0.5)
    peaks.add(rows((0, 0.6)))
    with pytest.raises(ValueError, match=message):
        peaks.add(second)
    assert peaks.floor[0] == np.float32(0.6)


def test_requests_may_ask_for_the_floor_while_rows_are_taken() -> None:
    collected, seen, done = Rows(peak_contract(), 0.5), [], threading.Event()
    tiles = [PlannedTile(i, (i, 0, 1, 1), (i, 0, 1, 1)) for i in range(400)]

    def ask() -> None:
        while not done.is_set():
            seen.append(collected.request(tiles[:1], [b""])["FLOOR"])

    thread = threading.Thread(target=ask)
    thread.start()
    for i in range(400):
        collected.take([tiles[i]], rows((i, 0.5 + i / 1000), score_of_others=1 - i / 1000))
    done.set()
    thread.join()
    assert (np.diff(np.array(seen), axis=0) >= 0).all()
    # The asked tile is the first of all, so that equal scores stay.
    np.testing.assert_allclose(collected.request(tiles[:1], [b""])["FLOOR"], [0.897, 0.998, -1], atol=1e-6)


@pytest.mark.parametrize(("batch", "in_flight", "floor"), [(1, 1, True), (1, 8, True), (3, 2, False), (4, 5, True)])
def test_batch_width_and_floor_do_not_change_a_byte(order: Order, batch: int, in_flight: int, floor: bool) -> None:
    first = run(order)
    other = replace(order, batch=batch, in_flight=in_flight, out=order.out.with_name("other"))
    second = run(other, PeakWire(floor=floor))

    assert second.result["result"] == first.result["result"]
    for name in ("peakmap.geojson", "overview.png", "peaks.png"):
        assert (place(order) / name).read_bytes() == (place(other) / name).read_bytes()


def test_the_result_names_class_and_peaks(order: Order) -> None:
    result = run(order).result["result"]

    assert result["class"] == "high_grade"
    assert result["probability"] == {"negative": 0.1, "low_grade": 0.1, "high_grade": 0.8}
    image = cv2.imread(str(order.slide))[::TILE_PX, ::TILE_PX, ::-1]
    for t, name in enumerate(TYPES):
        peaks = result["types"][name]["peaks"]
        best = np.sort(image[..., t], axis=None)[::-1][:K] / 255
        np.testing.assert_allclose([peak["score"] for peak in peaks], best, atol=1e-6)
        x, y, width, height = peaks[0]["region"]
        assert image[y // TILE_PX, x // TILE_PX, t] == round(best[0] * 255)
        assert (width, height) == (TILE_PX, TILE_PX)
        assert peaks[0]["boxes"] == [{"region": [x + 8, y + 16, 8, 4], "score": peaks[0]["score"]}]
        assert sum(peak["attention"] for peak in peaks) == pytest.approx(1, abs=1e-5)
    numbers = [peak["number"] for name in TYPES for peak in result["types"][name]["peaks"]]
    assert sorted(numbers) == list(range(1, 3 * K + 1))


def test_peaks_are_rectangles_of_their_type_by_attention(order: Order) -> None:
    run(order)
    features = json.loads((place(order) / "peakmap.geojson").read_text())["features"]
    boxes = [each for each in features if "Attention" not in each["properties"]["measurements"]]
    features = [each for each in features if each not in boxes]
    names = [each["properties"]["name"] for each in features]
    assert sorted(names) == sorted(f"{name} {rank}" for name in TYPES for rank in range(1, K + 1))
    assert boxes[0]["properties"]["name"] == f"{names[0]}: cell"

    assert len(features) == len(boxes) == 3 * K
    assert (np.ptp(boxes[0]["geometry"]["coordinates"][0], axis=0) == (8, 4)).all()
    assert {feature["properties"]["classification"]["name"] for feature in features} == set(TYPES)
    measured = [feature["properties"]["measurements"] for feature in features]
    assert [each["Number"] for each in measured] == list(range(1, 3 * K + 1))
    assert sorted((each["Attention"] for each in measured), reverse=True) == [each["Attention"] for each in measured]
    assert all(0.5 <= each["Score"] <= 1 for each in measured)
    ring = np.array(features[0]["geometry"]["coordinates"][0])
    assert (np.ptp(ring, axis=0) == TILE_PX).all()


def test_the_contact_sheet_shows_each_tile_beside_the_colour_of_its_type(order: Order) -> None:
    run(order)
    sheet = cv2.imread(str(place(order) / "peaks.png"))[..., ::-1]
    features = json.loads((place(order) / "peakmap.geojson").read_text())["features"]
    x, y = features[0]["geometry"]["coordinates"][0][0]

    top = sheet.shape[0] - 2 * (58 + 384 + 10)
    assert sheet.shape[1] == 5 * 394 + 10
    assert sheet[top + 20, 12].tolist() == features[0]["properties"]["classification"]["color"]
    beside_the_box = sheet[top + 58 + 232, 10 + 232]
    np.testing.assert_allclose(beside_the_box, cv2.imread(str(order.slide))[int(y), int(x), ::-1], atol=1)


def test_the_layers_are_what_the_result_says() -> None:
    shapes, cards = finished(0.9).layers()

    assert isinstance(shapes, Shapes)
    assert isinstance(cards, Cards)
    [card] = cards.each
    assert (card.number, cards.classes[card.of].name, card.numbers["Score"]) == (
        1,
        "scored for ascus",
        pytest.approx(0.9),
    )
    assert [each.name for each in shapes.each()] == ["ascus 1", "ascus 1: cell"]
    assert [each.name for each in card.inside] == ["ascus 1: cell"]
    assert [each.count for each in cards.classes] == [1, 0, 0]


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ({"class": "low_grade", "probability": {"low_grade": 0.98912}}, "low grade (probability 0.989)"),
        ({"class": "negative", "probability": {"negative": 0.99996}}, "negative (probability > 0.999)"),
        ({"class": None, "probability": None}, "no class: nothing on the slide was analysed"),
    ],
)
def test_the_result_in_words(result: dict[str, Any], words: str) -> None:
    assert Rows.words(result) == words


def test_a_slide_without_lesion_is_classified_and_says_so(order: Order) -> None:
    painted(order.slide, np.full((3, 3, 3), 90))
    report = run(order)

    assert report.result["result"]["class"] == "negative"
    assert report.result["result"]["types"] == {name: {"peaks": []} for name in TYPES}
    assert cv2.imread(str(place(order) / "peaks.png")).shape[0] < 150
    assert json.loads((place(order) / "peakmap.geojson").read_text())["features"] == []


def test_one_tile_is_a_slide(order: Order) -> None:
    painted(order.slide, np.array([[(180, 20, 20)]]))
    result = run(order).result["result"]

    assert result["class"] == "low_grade"
    assert [(p["region"], p["attention"]) for p in result["types"]["ascus"]["peaks"]] == [([0, 0, 32, 32], 1.0)]


def test_empty_glass_is_given_no_class(order: Order) -> None:
    painted(order.slide, np.full((3, 3, 3), 244))
    result = run(order).result["result"]

    assert (result["class"], result["probability"]) == (None, None)


def test_a_network_that_changes_on_the_way_ends_the_run(order: Order) -> None:
    with pytest.raises(
        ServerError, match=r"answered with two networks, 7 and 8: .*replaced.*Nothing was written; run it again"
    ):
        run(order, PeakWire(network=lambda request: 7 if request < 3 else 8))
    assert not list(order.out.glob("**/result.json"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"TILE_REGION": np.array([(5, 0, 1, 1)], np.float32)}, r"\(5\.0, .*not in the request"),
        ({"SCORE": np.ones((1, 2), np.float32)}, r"SCORE float32 \(1, 2\), wanted \(1, 3\)"),
        ({"FEATURE_MAP": np.ones((1, 3, 2, 2), np.float16)}, r"FEATURE_MAP .*wanted \(1, 3, 1, 1\)"),
        ({"BOX": np.ones((1, 1, 6), np.float32)}, r"BOX .*\(1, 1, 6\), wanted \(1, 1, 7\)"),
    ],
)
def test_answers_that_do_not_fit_are_refused(change: Outputs, message: str) -> None:
    collected, tile = Rows(peak_contract(), 0.5), PlannedTile(0, (0, 0, 1, 1), (0, 0, 1, 1))
    collected.take([tile], rows((0, 0.6)))
    with pytest.raises(ServerError, match=message):
        collected.take([tile], {**rows((0, 0.6)), **change})


def test_a_class_more_than_the_configs_say_is_refused() -> None:
    collected = Rows(peak_contract(), 0.5)
    collected.take([PlannedTile(0, (0, 0, 1, 1), (0, 0, 1, 1))], rows((0, 0.6)))
    with pytest.raises(ServerError, match=r"PROBABILITY \(4,\), wanted \(3,\)"):
        collected.finish(lambda model, arrays: {**slide_answer(told(arrays)), "PROBABILITY": np.ones(4, np.float32)})


def test_the_floor_is_above_equal_scores_behind_the_last_peak() -> None:
    peaks = Peaks(3, 2, 0.5)
    peaks.add(rows((4, 0.75), (6, 0.75), score_of_others=0.5))
    floors = {x: peaks.floor_for(rows((x, 0), (9, 0))["TILE_REGION"])[0] for x in (5, 6, 7)}
    assert floors == {5: np.float32(0.75), 6: np.float32(0.75), 7: np.nextafter(np.float32(0.75), np.float32(1))}
    assert peaks.floor_for(rows((7, 0))["TILE_REGION"])[2] == -1


def test_the_floor_holds_back_nearly_all_rows_of_a_large_slide(order: Order) -> None:
    # Few different scores, many equal ones; red stays so dark that no tile is glass.
    colours = np.random.default_rng(4).integers(0, (190, 250, 250), (32, 60, 3))
    painted(order.slide, colours)

    returned = {}
    for floor in (True, False):
        transfer = run(replace(order, in_flight=4), PeakWire(floor=floor)).result["transfer"]
        returned[floor] = transfer["peakmap_tiles"]["returned_bytes"]

    assert transfer["peakmap_tiles"]["sent_bytes"] > 32 * 60 * TILE_PX**2 * 3
    assert returned[True] < 0.1 * returned[False]
