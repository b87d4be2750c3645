"""Spread on a real Triton, with a tiny graph in the place of its network: a region's value is its mean red."""

import json
import math
import os
import random
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from server_stages import stages_of
from spread_repository import TILE_PX, tiny_repository

from histoserve.client.analyze import Order, analyze
from histoserve.client.connect import connect
from histoserve.client.errors import SlideError
from histoserve.client.preparation import Preparation
from histoserve.client.results.layers import Arrows, Grid
from histoserve.client.results.layers_json import read_layers
from histoserve.client.session import Session
from histoserve.client.stream import Width
from histoserve.client.travel.block import Picture
from histoserve.client.travel.encode import Encoding, encode
from histoserve.client.work import work_for
from histoserve.deploy.local.triton import LocalTriton

TIMEOUT_S = 60.0
RESTARTED_S = 240.0
"""In which a server is started anew, too."""
VALUES = np.zeros((5, 7), np.float32)
VALUES[1:3, 1:3] = 0.8
VALUES[1:3, 3:7] = (0.45, 0.4, 0.4, 0.3)
"""A primary of 2 × 2 regions on black, and what falls to the right of it."""


class Silent:
    """A watcher."""

    def phase(self, text: str) -> None: ...

    def say(self, text: str) -> None: ...

    def planned(self, tiles: int) -> None: ...

    def done(self, tiles: int) -> None: ...


def painted(path: Path, values: np.ndarray, side: int, blue: int = 0) -> Path:
    """A picture of squares, red as `values` say."""
    image = np.full((*values.shape, 3), (blue, 0, 0), np.uint8)
    image[..., 2] = np.round(values * 255)
    cv2.imwrite(str(path), image.repeat(side, 0).repeat(side, 1))
    return path


@pytest.fixture(scope="module")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalTriton]:
    repository = tiny_repository(tmp_path_factory.mktemp("repository"))
    with LocalTriton(repository, state=tmp_path_factory.mktemp("state")) as triton:
        yield triton


@pytest.fixture(scope="module")
def address(triton: LocalTriton) -> str:
    return triton.grpc


def run(address: str, order: Order) -> dict[str, Any]:
    return analyze(order, partial(connect, [address], ["spread"], TIMEOUT_S), Silent()).result


@pytest.fixture
def order(tmp_path: Path) -> Order:
    """Of a picture whose scale nobody knows, in regions of the network's px."""
    return Order(painted(tmp_path / "mr.png", VALUES, TILE_PX), "spread", tmp_path / "out")


def layers(order: Order) -> list[Any]:
    return list(read_layers(order.out / order.slide.stem / "spread" / "layers.json").layers)


def test_a_dark_picture_of_no_known_scale_is_read_whole(address: str, order: Order) -> None:
    result = run(address, order)

    found = result["result"]
    assert (result["slide"]["mpp"], result["slide"]["mpp_from"]) == (None, "nobody")
    assert found["regions"] == {"rows": 5, "columns": 7, "analysed": 35, "side": TILE_PX}
    assert found["main_direction"] == [1.0, 0.0]
    assert found["angle_degrees"] == 0
    assert found["primary"] == {"regions": 4, "centre": [448.0, 448.0], "region": [224, 224, 448, 448]}
    assert found["extent"] == {
        "mm2_lesion": None, "mm2_reached": None, "farthest_um": None,
        "regions_lesion": 4, "regions_reached": 12, "farthest_regions": pytest.approx(np.hypot(4.5, 0.5), abs=1e-5),
    }  # fmt: skip
    np.testing.assert_allclose(layers(order)[0].values, VALUES, atol=2e-3)
    files = ["layers.json", "overview.png", "result.json", "spread.geojson", "spread.parquet"]
    assert sorted(path.name for path in (order.out / "mr" / "spread").iterdir()) == files


def test_where_the_scale_is_known_regions_have_224_um(address: str, order: Order) -> None:
    # All of it blue enough to be taken for tissue.
    painted(order.slide, VALUES, 112, blue=60)
    result = run(address, replace(order, mpp=2.0))["result"]

    assert (result["regions"]["analysed"], result["regions"]["side"]) == (35, 112)
    assert result["extent"]["mm2_lesion"] == pytest.approx(4 * 0.224**2, rel=1e-5)
    assert result["extent"]["mm2_reached"] == pytest.approx(12 * 0.224**2, rel=1e-5)
    assert result["extent"]["farthest_um"] == pytest.approx(224 * np.hypot(4.5, 0.5), rel=1e-5)


@pytest.mark.parametrize(("batch", "in_flight"), [(1, 1), (8, 4)])
def test_batch_and_requests_in_flight_do_not_change_a_byte(
    address: str, order: Order, batch: int, in_flight: int
) -> None:
    run(address, order)
    other = replace(order, batch=batch, in_flight=in_flight, out=order.out.with_name("other"))
    run(address, other)

    for name in ("spread.geojson", "spread.parquet", "layers.json", "overview.png"):
        one, two = (each.out / "mr" / "spread" / name for each in (order, other))
        assert one.read_bytes() == two.read_bytes()


def test_regions_pushed_in_any_order_and_again_give_the_same(address: str, order: Order) -> None:
    whole = run(address, order)["result"]
    image = cv2.imread(str(order.slide))[..., ::-1]
    with connect([address], ["spread"], TIMEOUT_S) as wire:
        work = work_for(wire.contract("spread"), math.nan, (image.shape[1], image.shape[0]))
        tiles = random.Random(3).sample([*work.tiles, *work.tiles], 2 * len(work.tiles))
        with Session(wire.share(threading.Semaphore(4)), work) as session:
            for tile in tiles:
                x, y, width, height = tile.region
                session.push(Picture(tile, encode(image[y : y + height, x : x + width].copy(), Encoding())))
            assert session.finish() == whole


@pytest.mark.parametrize("degrees", [90, 30])
def test_a_turned_picture_has_its_result_where_the_original_has_it(address: str, order: Order, degrees: float) -> None:
    straight = run(address, order)["result"]
    straight_values = layers(order)[0]
    turned = replace(order, preparation=Preparation(degrees=degrees), out=order.out.with_name("turned"))
    result = run(address, turned)["result"]

    cosine = np.dot(result["main_direction"], straight["main_direction"])
    assert cosine > (0.999 if degrees % 90 == 0 else 0.97)
    away = np.subtract(result["primary"]["centre"], straight["primary"]["centre"])
    assert np.hypot(*away) < (1 if degrees % 90 == 0 else 0.6 * TILE_PX)
    grid = layers(turned)[0]
    assert grid.turned == degrees
    highest = np.unravel_index(np.nanargmax(grid.values), grid.values.shape)
    column, row = straight_values.squares_at(grid.l0_outline(*highest).mean(axis=0)).astype(int)
    assert straight_values.values[row, column] > 0.7
    if degrees % 90 == 0:
        assert np.nansum(grid.values) == pytest.approx(np.nansum(straight_values.values))


def test_a_part_enlarged_has_its_result_where_the_original_has_it(address: str, order: Order) -> None:
    part = Preparation(crop=(224, 224, 5 * 224, 2 * 224), enlarge=2)
    result = run(address, replace(order, preparation=part))

    assert result["result"]["regions"] == {"rows": 4, "columns": 10, "analysed": 40, "side": 112}
    assert result["result"]["main_direction"] == [1.0, 0.0]
    assert result["result"]["primary"]["region"] == [224, 224, 448, 448]
    assert result["preparation"] == {
        "asked": {"crop": [224, 224, 1120, 448], "enlarge": 2, "rotate": 0.0, "regions": None},
        "part": [224, 224, 1120, 448], "origin": [224, 224], "size": [2240, 896], "left_over": [0, 0],
    }  # fmt: skip


def test_the_picture_is_cropped_to_where_a_coarse_pass_sees_most(address: str, order: Order) -> None:
    values = np.zeros((10, 14), np.float32)
    values[6:8, 9:11], values[7, 11:13], values[1, 1] = 0.9, 0.5, 0.8
    painted(order.slide, values, TILE_PX)
    result = run(address, replace(order, preparation=Preparation(crop="auto")))

    x, y, width, height = result["preparation"]["part"]
    assert (width, height) == (8 * TILE_PX, 8 * TILE_PX)
    assert x <= 9 * TILE_PX < 13 * TILE_PX <= x + width
    assert y <= 6 * TILE_PX < 8 * TILE_PX <= y + height
    assert result["result"]["primary"]["region"][:2] == [9 * TILE_PX, 6 * TILE_PX]
    assert result["preparation"]["asked"]["crop"] == "auto"
    assert "1 of the coarse pass's squares with lesion lie outside" in result["slide"]["warnings"][0]


class Stopping(Silent):
    """Ctrl-C after the tenth region."""

    def __init__(self) -> None:
        self.told = 0

    def done(self, tiles: int) -> None:
        self.told += tiles
        if self.told >= 10:
            raise KeyboardInterrupt


def test_a_run_that_was_stopped_goes_on_with_the_prepared_picture_it_had(address: str, order: Order) -> None:
    prepared = replace(order, preparation=Preparation(degrees=30), batch=1, in_flight=1)
    undisturbed = replace(prepared, out=order.out.with_name("undisturbed"))
    run(address, undisturbed)
    with pytest.raises(KeyboardInterrupt):
        analyze(prepared, partial(connect, [address], ["spread"], TIMEOUT_S), Stopping())

    turned_less = run(address, replace(prepared, preparation=Preparation(degrees=29), out=order.out))
    assert turned_less["tiles"]["resumed"] == 0
    with pytest.raises(KeyboardInterrupt):
        analyze(prepared, partial(connect, [address], ["spread"], TIMEOUT_S), Stopping())
    assert run(address, prepared)["tiles"]["resumed"] >= 9
    for name in ("spread.geojson", "spread.parquet", "layers.json", "overview.png"):
        one, two = (each.out / "mr" / "spread" / name for each in (prepared, undisturbed))
        assert one.read_bytes() == two.read_bytes()


def test_without_lesion_nothing_is_cropped(address: str, order: Order) -> None:
    painted(order.slide, np.zeros((9, 9)), TILE_PX)
    result = run(address, replace(order, preparation=Preparation(crop="auto")))
    assert result["preparation"]["part"] == [0, 0, 9 * TILE_PX, 9 * TILE_PX]
    assert "saw no lesion" in result["slide"]["warnings"][0]


def test_a_picture_is_cut_into_as_many_regions_as_wanted_or_told_how_many_it_can_be(address: str, order: Order) -> None:
    result = run(address, replace(order, preparation=Preparation(regions=6)))
    assert result["tiles"]["planned"] == result["result"]["regions"]["analysed"] == 6
    assert (result["result"]["regions"]["rows"], result["result"]["regions"]["columns"]) == (2, 3)
    # Squares of 522 px: the third column ends at 1566, the second row at 1044.
    assert result["preparation"]["left_over"] == [2, 76]

    with pytest.raises(SlideError, match=r"mr.png, 1568×1120 px, cannot be cut into 7 equal squares: give .*6 or 8"):
        run(address, replace(order, preparation=Preparation(regions=7)))


def test_one_colour_has_values_and_no_direction(address: str, order: Order) -> None:
    painted(order.slide, np.full((2, 3), 230 / 255), TILE_PX)
    result = run(address, order)["result"]
    assert (result["main_direction"], result["angle_degrees"]) == (None, None)
    assert (result["primary"]["regions"], result["value"]["highest"]) == (6, pytest.approx(230 / 255, abs=1e-3))
    assert not [layer for layer in layers(order) if isinstance(layer, Arrows) and layer.heavy]


def test_pictures_too_small_are_told_and_small_ones_are_one_row(address: str, order: Order) -> None:
    cv2.imwrite(str(order.slide), np.zeros((1, 1, 3), np.uint8))
    with pytest.raises(SlideError, match=r"mr.png has 1×1 px to be cut, and a region has at least 8×8"):
        run(address, order)
    painted(order.slide, np.array([[0.7, 0.3]]), 30)
    result = run(address, order)["result"]
    assert result["regions"] == {"rows": 1, "columns": 2, "analysed": 2, "side": 30}


def test_a_slide_without_tissue_or_smaller_than_a_region_has_no_value(address: str, order: Order) -> None:
    for size in ((1000, 1000), (100, 100)):
        cv2.imwrite(str(order.slide), np.full((*size, 3), 245, np.uint8))
        result = run(address, replace(order, mpp=1.0))
        assert result["result"]["value"] is None
        assert result["result"]["main_direction"] is None
        assert result["result"]["extent"]["mm2_lesion"] == 0
        assert not [layer for layer in layers(order) if isinstance(layer, Grid)]
        assert json.loads((order.out / "mr" / "spread" / "result.json").read_text())["tiles"]["planned"] == 0


def test_a_stage_that_dies_on_the_way_costs_no_byte(triton: LocalTriton, order: Order) -> None:
    expected, first = in_a_session(triton, order), triton.pid

    assert in_a_session(triton, order, kill_before=20) == expected
    assert expected["main_direction"] is not None
    assert triton.pid != first


def in_a_session(triton: LocalTriton, order: Order, kill_before: int | None = None) -> dict[str, Any]:
    """The result of the picture, pushed region by region."""
    image = cv2.imread(str(order.slide))[..., ::-1]
    with connect([triton.grpc], ["spread"], RESTARTED_S) as wire:
        work = replace(work_for(wire.contract("spread"), math.nan, image.shape[1::-1]), width=Width(2, 2))
        with Session(wire.share(threading.Semaphore(4)), work) as session:
            for number, tile in enumerate(work.tiles):
                if number == kill_before:
                    os.kill(stages_of(triton.pid)[0], signal.SIGKILL)
                x, y, width, height = tile.region
                session.push(Picture(tile, encode(image[y : y + height, x : x + width].copy(), Encoding())))
            return session.finish()
