"""Peaks of a slide: the floor rises and changes nothing, and what is written of them."""

import json
import threading
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from peak_wire import (
    NO_FLOOR,
    TILE_PX,
    TYPES,
    K,
    Outputs,
    PeakWire,
    peak_contract,
    rows,
    slide_answer,
    tiles_answer,
    told,
    without_network,
)

from histoserve.client.analyze import Order, Report, analyze
from histoserve.client.errors import ServerError
from histoserve.client.grid import PlannedTile
from histoserve.client.pipelines.peakmap.rows import Rows
from histoserve.client.results.layers import Cards, Shapes
from histoserve.client.session import Session
from histoserve.client.stream import Width
from histoserve.client.travel.block import Picture
from histoserve.client.travel.encode import Encoding, encode
from histoserve.client.work import Work


def place(order: Order) -> Path:
    """Of the result."""
    return order.out / order.slide.stem / order.pipeline


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


def test_requests_may_ask_for_the_floor_while_rows_are_taken() -> None:
    collected, seen, done = Rows(peak_contract(), 0.5), [], threading.Event()
    tiles = [PlannedTile(i, (i, 0, 1, 1), (i, 0, 1, 1)) for i in range(400)]

    def ask() -> None:
        while not done.is_set():
            seen.append(collected.more_inputs(tiles[:1])["FLOOR"])

    thread = threading.Thread(target=ask)
    thread.start()
    for i in range(400):
        collected.take([tiles[i]], rows((i, 0.5 + i / 1000), score_of_others=1 - i / 1000))
    done.set()
    thread.join()
    assert (np.diff(np.array(seen), axis=0) >= 0).all()
    # The asked tile is the first of all, so that equal scores stay.
    np.testing.assert_allclose(collected.more_inputs(tiles[:1])["FLOOR"], [0.897, 0.998, -1], atol=1e-6)


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


def test_peaks_that_are_taken_back_have_held_back_no_other() -> None:
    tiles = [PlannedTile(i, (32 * i, 0, 32, 32), (32 * i, 0, 32, 32)) for i in range(12)]
    work = Work(peak_contract(), 0.5, tiles, Width(1, 1))

    def picture(i: int, red: int) -> Picture:
        return Picture(tiles[i], encode(np.full((32, 32, 3), (red, 200 - i, i), np.uint8), Encoding()))

    low, high = [150 + i for i in range(12)], [250 - i for i in range(12)]
    with Session(PeakWire(), work) as session:
        for i in range(12):
            session.push(picture(i, high[i] if i < 6 else low[i]))
        again = session.take_back(tiles[:6])
        # Those asked later were told of a floor that does not hold any more.
        assert again == tiles
        for tile in again:
            session.push(picture(tile.index, low[tile.index]))
        rescanned = session.finish()
    with Session(PeakWire(), work) as session:
        for i in range(12):
            session.push(picture(i, low[i]))
        assert session.finish() == rescanned
