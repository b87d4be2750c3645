"""A slide's readings and what is written of them, on slides of a colour a tile."""

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from biomarker_wire import MPP, TILE_PX, BiomarkerWire, K, Outputs, biomarker_contract

from histoserve.client.analyze import Order, Report, analyze
from histoserve.client.errors import HistoserveError, ServerError
from histoserve.client.pipelines.biomarker.rows import Rows, per_cent
from histoserve.client.pipelines.biomarker.shown import CARDS
from histoserve.client.progress import Quiet
from histoserve.client.results.layers import Grid
from histoserve.client.results.layers_json import read_layers
from histoserve.client.session import Session
from histoserve.client.travel.block import Picture
from histoserve.client.work import work_for

FILES = ("biomarker.geojson", "biomarker.parquet", "layers.json", "overview.png", "tiles.png")
READINGS = ("Ki67", "ER", "PR", "HER2")


NONE = -1
"""In the place of a tile's red: it shows no tumour, and would read highest."""


def painted(path: Path, reds: list[list[int]]) -> Path:
    """A slide of one colour a tile, as red as told; white at its right and lower border, half a tile wide."""
    told = np.array(reds)
    red = np.where(told == NONE, 255, told).astype(np.uint8)
    tiles = np.dstack([red, np.where(told == NONE, 200, 51).astype(np.uint8), np.where(told == NONE, 0, 255 - red)])
    tiles = tiles.astype(np.uint8).repeat(TILE_PX, 0).repeat(TILE_PX, 1)
    padded = np.pad(tiles, ((0, TILE_PX // 2), (0, TILE_PX // 2), (0, 0)), constant_values=244)
    cv2.imwrite(str(path), padded[..., ::-1])
    return path


def ordered(folder: Path, reds: list[list[int]]) -> Order:
    return Order(painted(folder / "cells.png", reds), "biomarker", folder / "out", mpp=MPP)


def run(order: Order, wire: BiomarkerWire | None = None) -> Report:
    return analyze(order, lambda: nullcontext(wire or BiomarkerWire()), Quiet())


def file(order: Order, name: str) -> Path:
    return order.out / "cells" / "biomarker" / name


def layer(order: Order, kind: str) -> list[dict[str, Any]]:
    layers = json.loads(file(order, "layers.json").read_text())["layers"]
    return [each for each in layers if each["kind"] == kind]


def test_the_result_has_a_reading_a_marker_and_the_tiles_that_decided_it(tmp_path: Path) -> None:
    report = run(ordered(tmp_path, [[0, 204, 51], [102, 153, 0]]))
    result = report.result["result"]

    assert list(result["readings"]) == list(READINGS)
    assert (result["stain"], result["mean_of"]) == ("H&E", "highest")
    ki67 = result["readings"]["Ki67"]
    assert (ki67["reading"], ki67["tiles_used"], ki67["tiles"]) == (0.6, 3, 6)
    assert [each["reading"] for each in ki67["highest"]] == [0.8, 0.6, 0.4]
    assert [each["region"][:2] for each in ki67["highest"]] == [[32, 0], [32, 32], [0, 32]]
    # Equal ones by y, then x.
    assert [each["region"][:2] for each in result["readings"]["ER"]["highest"]] == [[0, 0], [32, 0], [64, 0]]
    assert result["readings"]["PR"]["reading"] == pytest.approx((1 + 1 + 0.8) / 3, abs=1e-6)
    assert report.words == "Ki67 60 %, ER 20 %, PR 93 %, HER2 60 %"


def test_all_tiles_decide_if_the_server_says_so(tmp_path: Path) -> None:
    order = ordered(tmp_path, [[0, 204, 51], [102, 153, 0]])
    result = run(order, BiomarkerWire(biomarker_contract(mean_of="all"))).result["result"]

    assert result["readings"]["Ki67"]["reading"] == pytest.approx(510 / 6 / 255)
    assert (result["readings"]["Ki67"]["tiles_used"], len(result["readings"]["Ki67"]["highest"])) == (6, K)
    assert "the mean of all its 6 tiles" in layer(order, "cards")[0]["said"]


def test_fewer_tiles_than_decide_are_all_taken_and_told(tmp_path: Path) -> None:
    order = ordered(tmp_path, [[51, 204]])
    result = run(order, BiomarkerWire(biomarker_contract(k="30"))).result["result"]

    assert (result["readings"]["Ki67"]["reading"], result["readings"]["Ki67"]["tiles_used"]) == (0.5, 2)
    said = layer(order, "cards")[0]["said"]
    assert "the mean of all its 2 tiles. Outlined for each marker: the 2 tiles that are highest." in said


def test_tiles_without_tumour_have_no_reading_and_are_left_blank(tmp_path: Path) -> None:
    order = ordered(tmp_path, [[NONE, 204, 51], [102, NONE, 0]])
    report = run(order)
    ki67 = report.result["result"]["readings"]["Ki67"]

    assert [ki67[name] for name in ("reading", "tiles_used", "tiles_with_tumour", "tiles")] == [
        pytest.approx(357 / 3 / 255, abs=1e-6), 3, 4, 6,
    ]  # fmt: skip
    assert [each["region"][:2] for each in ki67["highest"]] == [[32, 0], [0, 32], [64, 0]]
    grid = next(each for each in read_layers(file(order, "layers.json")).layers if isinstance(each, Grid))
    assert np.isnan(grid.values).tolist() == [[True, False, False], [False, True, False]]
    assert "the mean of its 3 highest tiles." in layer(order, "cards")[0]["said"]


def test_all_that_show_tumour_are_told_apart_from_all(tmp_path: Path) -> None:
    order = ordered(tmp_path, [[NONE, 204], [102, NONE]])
    run(order)
    assert "the mean of all its 2 tiles that show tumour." in layer(order, "cards")[0]["said"]


@pytest.mark.parametrize(
    ("reds", "said"),
    [([[NONE, NONE], [NONE, NONE]], "in any of its 4 tiles, so"), ([[NONE]], "in its only tile, so")],
)
def test_a_slide_without_tumour_has_no_reading_which_is_not_0(tmp_path: Path, reds: list[list[int]], said: str) -> None:
    order = ordered(tmp_path, reds)
    report = run(order)

    tiles = len(reds) * len(reds[0])
    none = {"reading": None, "tiles_used": 0, "tiles_with_tumour": 0, "tiles": tiles, "highest": []}
    assert report.result["result"]["readings"] == dict.fromkeys(READINGS, none)
    assert report.words == "no reading: no tumour was seen"
    assert f"No tumour is seen {said} it has no reading: that is not 0." in layer(order, "cards")[0]["said"]
    assert not layer(order, "grid")


@pytest.mark.parametrize("size", [(100, 100), (20, 90), (1, 1)])
def test_a_slide_without_any_tile_has_no_reading_which_is_not_0(tmp_path: Path, size: tuple[int, int]) -> None:
    cv2.imwrite(str(tmp_path / "cells.png"), np.full((*size, 3), 244, np.uint8))
    order = Order(tmp_path / "cells.png", "biomarker", tmp_path / "out", mpp=MPP)
    report = run(order)

    none = {"reading": None, "tiles_used": 0, "tiles_with_tumour": 0, "tiles": 0, "highest": []}
    assert report.result["result"]["readings"] == dict.fromkeys(READINGS, none)
    assert report.words == "no reading: nothing on the slide was analysed"
    assert "no reading: that is not 0" in layer(order, "cards")[0]["said"]
    assert not layer(order, "grid")


def test_four_heat_maps_stand_on_one_scale_beside_their_readings(tmp_path: Path) -> None:
    order = ordered(tmp_path, [[0, 204, 51], [102, 153, 0]])
    run(order)
    grids = [each for each in read_layers(file(order, "layers.json")).layers if isinstance(each, Grid)]

    assert [(each.title, each.said, each.of) for each in grids] == [
        ("Ki67", "60 %", 0), ("ER", "20 %", 1), ("PR", "93 %", 2), ("HER2", "60 %", 3),
    ]  # fmt: skip
    assert {(each.limits, each.unit) for each in grids} == {((0, 1), "%")}
    np.testing.assert_allclose(grids[0].values, np.array([[0, 204, 51], [102, 153, 0]]) / 255, atol=1e-6)
    overview = cv2.imread(str(file(order, "overview.png")))
    assert overview.shape[1] > 700


def test_the_highest_tiles_are_outlined_and_the_first_ten_numbered(tmp_path: Path) -> None:
    order = ordered(tmp_path, np.arange(0, 250, 10).reshape(5, 5).tolist())
    result = run(order, BiomarkerWire(biomarker_contract(k="12"))).result["result"]

    features = json.loads(file(order, "biomarker.geojson").read_text())["features"]
    outlined = [each for each in features if each["properties"]["objectType"] == "detection"]
    assert len(outlined) == 4 * 12
    assert outlined[11]["properties"]["name"] == "highest for Ki67: 12"
    cards = layer(order, "cards")[0]["cards"]
    assert [each["number"] for each in cards] == list(range(1, 4 * CARDS + 1))
    numbers = [each["number"] for each in result["readings"]["ER"]["highest"]]
    assert numbers == [*range(CARDS + 1, 2 * CARDS + 1), None, None]
    assert "the first 10 are numbered" in layer(order, "cards")[0]["said"]


@pytest.mark.parametrize(("batch", "in_flight"), [(1, 8), (3, 2)])
def test_batch_and_width_do_not_change_a_byte(tmp_path: Path, batch: int, in_flight: int) -> None:
    order = ordered(tmp_path, np.arange(0, 240, 12).reshape(4, 5).tolist())
    other = replace(order, batch=batch, in_flight=in_flight, out=tmp_path / "other")

    assert run(other).result["result"] == run(order).result["result"]
    assert all(file(order, name).read_bytes() == file(other, name).read_bytes() for name in FILES)


def test_other_markers_are_those_of_the_config(tmp_path: Path) -> None:
    order = ordered(tmp_path, [[0, 204]])
    report = run(order, BiomarkerWire(biomarker_contract(markers="ER, PD-L1", stain="Ki67")))

    assert report.words == "ER 40 %, PD-L1 20 %"
    assert report.result["result"]["stain"] == "Ki67"
    assert len(layer(order, "grid")) == 2
    assert "the picture of the Ki67 stain" in layer(order, "cards")[0]["said"]


def test_tiles_that_are_pushed_give_a_reading_before_all_are_there() -> None:
    image = cv2.imencode(".png", np.full((TILE_PX, TILE_PX, 3), 51, np.uint8))[1].tobytes()
    work = work_for(biomarker_contract(), MPP, (3 * TILE_PX, 2 * TILE_PX))

    with Session(BiomarkerWire(), work) as session:
        assert session.partial()["readings"]["Ki67"]["reading"] is None
        session.push(Picture(work.tiles[4], image))
        assert session.finish()["readings"]["Ki67"]["reading"] == pytest.approx(0.2)


def changed(model: str, name: str, value: Any) -> BiomarkerWire:
    def change(of: str, answer: Outputs) -> Outputs:
        return {**answer, name: np.asarray(value(answer[name]))} if of == model else answer

    return BiomarkerWire(change=change)


WRONG: dict[str, tuple[BiomarkerWire, str]] = {
    "a reading above 1": (changed("biomarker_tiles", "READING", lambda r: r + 1), "all from 0 to 1"),
    "no tumour": (changed("biomarker_tiles", "TUMOUR", lambda t: t - 2), "TUMOUR .* all from 0 to 1"),
    "two of tumour": (changed("biomarker_tiles", "TUMOUR", lambda t: t.repeat(2, 1)), r"\(\d, 2\), wanted \(\d, 1\)"),
    "no reading": (changed("biomarker_tiles", "READING", lambda r: r * np.float32(np.nan)), "that is not finite"),
    "another column": (changed("biomarker_tiles", "READING", lambda r: r[:, :3]), r"\(\d, 3\), wanted \(\d, 4\)"),
    "other regions": (changed("biomarker_tiles", "TILE_REGION", lambda r: r + 1), "other regions than"),
    "another mean": (changed("biomarker_slide", "READING", lambda r: r * 0.9), "of Ki67, where its tiles make"),
    "no mean": (changed("biomarker_slide", "READING", lambda r: r * np.float32(np.nan)), "READING nan of Ki67"),
    "not the highest": (changed("biomarker_slide", "TOP", lambda t: t[:, ::-1].copy()), "the highest rows, from the"),
    "one row twice": (changed("biomarker_slide", "TOP", lambda t: t * 0), "a TOP of Ki67 that does not name 3 of"),
    "rows beyond": (changed("biomarker_slide", "TOP", lambda t: t + 6), "does not name 3 of the 6 rows"),
    "fewer": (changed("biomarker_slide", "TOP", lambda t: t[:, :2]), r"wanted \(4, 3\)"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_an_answer_that_cannot_be_is_never_a_result(tmp_path: Path, name: str) -> None:
    wire, words = WRONG[name]
    order = ordered(tmp_path, [[0, 204, 51], [102, 153, 0]])
    with pytest.raises(HistoserveError, match=words):
        run(order, wire)
    assert not file(order, "result.json").exists()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"markers": ""}, "says markers = ''; wanted one name or more"),
        ({"markers": "ER,ER"}, "each once"),
        ({"mean_of": "most"}, "mean_of = 'most', this client knows highest and all"),
    ],
)
def test_a_config_without_sense_is_told(settings: dict[str, str], words: str) -> None:
    with pytest.raises(ServerError, match=words):
        Rows(biomarker_contract(**settings), MPP)


@pytest.mark.parametrize(
    ("reading", "told"), [(0, "0 %"), (0.004, "< 1 %"), (0.25, "25 %"), (0.996, "> 99 %"), (1, "100 %")]
)
def test_what_is_rounded_is_not_told_as_none_or_all(reading: float, told: str) -> None:
    assert per_cent(reading) == told
