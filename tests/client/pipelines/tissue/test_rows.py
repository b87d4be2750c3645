"""A slide's class and what is written of it, on slides of a colour a tile."""

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from shapely.geometry import shape
from tissue_wire import MPP, TILE_PX, K, Outputs, TissueWire, colours_of, tissue_contract

from histoserve.client.analyze import Order, Report, analyze
from histoserve.client.errors import ServerError
from histoserve.client.pipelines.tissue.rows import MOST_CARDS, Rows
from histoserve.client.progress import Quiet
from histoserve.client.results.layers import Cards, Grid
from histoserve.client.session import Session
from histoserve.client.travel.block import Picture
from histoserve.client.work import work_for

FILES = ("tissue.geojson", "tissue.parquet", "overview.png", "regions.png", "layers.json")


def painted(path: Path, picture: str) -> Path:
    """A slide of one colour a tile; white at its right and lower border, as wide as half a tile."""
    image = colours_of(picture).repeat(TILE_PX, 0).repeat(TILE_PX, 1)
    padded = np.pad(image, ((0, TILE_PX // 2), (0, TILE_PX // 2), (0, 0)), constant_values=244)
    cv2.imwrite(str(path), padded[..., ::-1])
    return path


def ordered(folder: Path, picture: str) -> Order:
    return Order(painted(folder / "cells.png", picture), "tissue", folder / "out", mpp=MPP)


def run(order: Order, wire: Any = None) -> Report:
    return analyze(order, lambda: nullcontext(wire or TissueWire()), Quiet())


def file(order: Order, name: str) -> Path:
    return order.out / "cells" / "tissue" / name


def test_the_result_names_the_class_and_each_region(tmp_path: Path) -> None:
    report = run(ordered(tmp_path, "nnnnn nccnn nnnns nnnss"))
    result = report.result["result"]

    assert result["class"] == "solid"
    assert result["probability"] == {"normal": 0.08, "solid": 0.8, "cribriform": 0.12}
    assert [(each["number"], each["class"], each["tiles"]) for each in result["regions"]] == [
        (1, "solid", 3),
        (2, "cribriform", 2),
    ]
    assert result["regions"][0]["region"] == [3 * TILE_PX, 2 * TILE_PX, 2 * TILE_PX, 2 * TILE_PX]
    assert result["regions"][1]["mm2"] == pytest.approx(2 * (TILE_PX * MPP / 1000) ** 2, abs=1e-6)
    assert report.words == "solid (abnormal with probability 0.920), 2 abnormal regions, 0.00128 mm²"


def test_a_normal_slide_says_so_and_still_shows_its_abnormal_tiles(tmp_path: Path) -> None:
    order = ordered(tmp_path, "nnnn nncn nnnn")
    report = run(order)
    said = json.loads(file(order, "layers.json").read_text())["layers"][2]["said"]
    assert f"by its {K} most abnormal tiles. Numbered is the region" in said

    assert report.result["result"]["class"] == "normal"
    assert [each["class"] for each in report.result["result"]["regions"]] == ["cribriform"]
    assert "normal (abnormal with probability 0.440), yet 1 abnormal region" in report.words
    assert "whatever the class: places to look at, not findings" in said


def test_empty_glass_has_no_class(tmp_path: Path) -> None:
    report = run(ordered(tmp_path, "... ... ..."))

    assert (report.result["result"]["class"], report.result["result"]["probability"]) == (None, None)
    assert report.words == "no class: nothing on the slide was analysed"


@pytest.mark.parametrize("picture", ["s", "nsn", "ss nn"])
def test_slides_of_few_tiles_are_classed_by_all_of_them(tmp_path: Path, picture: str) -> None:
    result = run(ordered(tmp_path, picture)).result

    assert result["result"]["class"] is not None
    assert result["tiles"]["planned"] == len(picture.replace(" ", ""))


def test_tiles_at_the_border_are_left_out_in_a_session_too() -> None:
    image = cv2.imencode(".png", np.full((TILE_PX, TILE_PX, 3), 90, np.uint8))[1].tobytes()
    work = work_for(tissue_contract(), MPP, (3 * TILE_PX - 1, 2 * TILE_PX))

    assert [tile.region[:2] for tile in work.tiles] == [(0, 0), (TILE_PX, 0), (0, TILE_PX), (TILE_PX, TILE_PX)]
    with Session(TissueWire(), work) as session:
        assert session.partial()["class"] is None
        session.push(Picture(work.tiles[3], image))
        assert session.finish()["class"] == "solid"


@pytest.mark.parametrize(("batch", "in_flight"), [(1, 8), (3, 2)])
def test_batch_and_width_do_not_change_a_byte(tmp_path: Path, batch: int, in_flight: int) -> None:
    order = ordered(tmp_path, "nsnnc snncc nnscn nnnns")
    other = replace(order, batch=batch, in_flight=in_flight, out=tmp_path / "other")

    assert run(other).result["result"] == run(order).result["result"]
    assert all(file(order, name).read_bytes() == file(other, name).read_bytes() for name in FILES)


def test_each_region_is_one_valid_feature_beside_a_value_for_each_tile(tmp_path: Path) -> None:
    order = ordered(tmp_path, "sssnn snsnn ssnsn nnnnn nnnnc")
    run(order)
    features = json.loads(file(order, "tissue.geojson").read_text())["features"]
    tiles = [each for each in features if each["properties"]["objectType"] == "tile"]
    regions = [each for each in features if each not in tiles]

    assert len(tiles) == 25
    assert [each["geometry"]["type"] for each in regions] == ["MultiPolygon", "Polygon"]
    assert all(shape(each["geometry"]).is_valid for each in regions)
    measured = regions[0]["properties"]["measurements"]
    assert measured["Number"] == 1
    assert shape(regions[0]["geometry"]).area * (MPP / 1000) ** 2 == pytest.approx(measured["Area mm^2"], abs=1e-6)


def test_only_the_worst_of_many_regions_are_pictures(tmp_path: Path) -> None:
    picture = " ".join(("sn" if row % 2 else "nn") * 16 for row in range(16))
    order = ordered(tmp_path, picture)
    regions = run(order).result["result"]["regions"]
    layers = json.loads(file(order, "layers.json").read_text())["layers"]

    assert len(regions) == 8 * 16
    assert [len(each.get("cards", [])) for each in layers] == [0, 0, MOST_CARDS]
    assert f"the {MOST_CARDS} worst of 128 regions" in layers[2]["said"]


def test_what_is_written_beside_the_pictures_takes_no_more_than_was_asked_for(tmp_path: Path) -> None:
    picture = " ".join(("sn" if row % 2 else "cn") * 20 for row in range(40))
    order = replace(ordered(tmp_path, picture), mpp=MPP)
    run(order)
    names = ("tissue.geojson", "tissue.parquet", "layers.json", "result.json")
    written = sum(file(order, name).stat().st_size for name in names)

    # Its tiles are 32 times as narrow as those of 512 µm, for which the figure is.
    assert written / 1600 * (1 / 0.512) ** 2 < Rows.BYTES_PER_MM2


def test_a_network_that_tells_nothing_apart_is_refused(tmp_path: Path) -> None:
    wire = TissueWire(settings=tissue_contract(classes="normal"))

    with pytest.raises(ServerError, match="has the class 'normal' alone; wanted a normal one and then"):
        run(ordered(tmp_path, "nn"), wire)
    assert not list(tmp_path.glob("out/**/result.json"))


BAD: dict[str, tuple[str, Any, str]] = {
    "a class more": ("tissue_tiles", ("PROBABILITY", np.ones((1, 4), np.float32) / 4), r"wanted \(1, 3\)"),
    "no shares": ("tissue_tiles", ("PROBABILITY", np.ones((1, 3), np.float32)), "no share of 1"),
    "elsewhere": ("tissue_tiles", ("TILE_REGION", np.ones((1, 4), np.float32)), "other regions than those"),
    "half precision": ("tissue_tiles", ("PROBABILITY", np.ones((1, 3), np.float16)), "float16"),
    "NaN": ("tissue_slide", ("PROBABILITY", np.full(3, np.nan, np.float32)), "no share of 1"),
    "a class less": ("tissue_slide", ("PROBABILITY", np.ones(2, np.float32) / 2), r"wanted \(3,\)"),
    "no whole group": ("tissue_slide", ("GROUP", np.full(1, 4, np.int32)), "does not number the ABNORMAL"),
    "a group of normal ones": ("tissue_slide", ("ABNORMAL", np.zeros(1, bool)), "does not number the ABNORMAL"),
}


@pytest.mark.parametrize("name", BAD)
def test_answers_that_do_not_fit_are_refused(tmp_path: Path, name: str) -> None:
    spoilt, (tensor, value), message = BAD[name]

    def change(model: str, answer: Outputs) -> Outputs:
        return {**answer, tensor: value} if model == spoilt else answer

    with pytest.raises(ServerError, match=message):
        run(ordered(tmp_path, "s"), TissueWire(change=change))
    assert not list(tmp_path.glob("out/**/result.json"))


def test_a_network_that_changes_on_the_way_ends_the_run(tmp_path: Path) -> None:
    wire = TissueWire(network=lambda request: 7 if request < 3 else 8)

    with pytest.raises(ServerError, match="answered with two networks, 7 and 8"):
        run(replace(ordered(tmp_path, "nnnn nnnn"), batch=1, in_flight=1), wire)


@pytest.mark.parametrize(
    ("normal", "words"),
    [(0.99999, "< 0.001"), (0.1, "0.900"), (0.0, "> 0.999")],
)
def test_words_never_say_that_it_is_certain(normal: float, words: str) -> None:
    result = {"class": "solid", "probability": {"normal": normal, "solid": 1 - normal}, "regions": []}

    assert Rows.words(result) == f"solid (abnormal with probability {words})"


def test_the_layers_are_a_heat_map_the_regions_and_places_to_look_at() -> None:
    rows = Rows(tissue_contract(), MPP)
    _, said = rows.layers()
    work = work_for(tissue_contract(), MPP, (2 * TILE_PX, TILE_PX))
    wire = TissueWire()
    rows.take(work.tiles, {"PROBABILITY": np.array([(0.9, 0.1, 0), (0, 0, 1)], np.float32), **_regions(work.tiles)})
    rows.finish(lambda model, arrays: wire.infer(model, {**arrays, "NETWORK": np.array([[7]], np.int32)}))
    grid, shapes, cards = rows.layers()

    assert isinstance(said, Cards)
    assert "Nothing on the slide was analysed" in said.said
    assert isinstance(grid, Grid)
    np.testing.assert_allclose(grid.values, [[0.1, 1]], atol=1e-6)
    assert [each.count for each in shapes.classes] == [0, 1]
    assert [(card.number, card.caption, len(card.inside)) for card in cards.each] == [
        (1, "region classed cribriform", 1)
    ]
    assert "by all its tiles. Numbered is the region of tiles abnormal" in cards.said


def _regions(tiles: Any) -> Outputs:
    return {"TILE_REGION": np.array([tile.region for tile in tiles], np.float32)}
