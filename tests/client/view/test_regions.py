"""Regions with holes and in parts on the page: drawn, found, and said, as tissue writes them."""

import io
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from opened_page import opened
from PIL import Image
from starlette.testclient import TestClient
from tissue_wire import MPP, TILE_PX, TissueWire, colours_of

from histoserve.client.analyze import Order, analyze
from histoserve.client.progress import Quiet
from histoserve.client.view.layers.drawn import open_layers

PICTURE = "nnnnnnn nsssnnn nsnsnnn nssnsnn nnnnnnc"
"""Of solid ones a ring that meets itself at a corner, and a tile that it touches by one."""
Found = list[dict[str, Any]]


@pytest.fixture
def client(show: Callable[..., TestClient], tmp_path: Path) -> TestClient:
    image = colours_of(PICTURE).repeat(TILE_PX, 0).repeat(TILE_PX, 1)
    cv2.imwrite(str(tmp_path / "cells.png"), image[..., ::-1])
    order = Order(tmp_path / "cells.png", "tissue", tmp_path / "out", mpp=MPP)
    analyze(order, lambda: nullcontext(TissueWire()), Quiet())
    return show(tmp_path / "out", slide=tmp_path / "cells.png", layers=open_layers)


def middle(column: int, row: int) -> tuple[float, float]:
    return (column + 0.5) * TILE_PX, (row + 0.5) * TILE_PX


def regions_at(client: TestClient, column: int, row: int) -> list[tuple[str, float]]:
    x, y = middle(column, row)
    found: Found = client.get(f"/s/0/at?x={x}&y={y}&r=0").json()["found"]
    return [(each["name"], each["numbers"]["Number"]) for each in found if each["layer"] == "1"]


def test_what_lies_in_a_hole_is_not_of_the_region(client: TestClient) -> None:
    opened(client)

    assert regions_at(client, 1, 1) == regions_at(client, 3, 2) == regions_at(client, 4, 3) == [("solid", 1)]
    assert regions_at(client, 6, 4) == [("cribriform", 2)]
    assert regions_at(client, 2, 2) == regions_at(client, 0, 0) == []


def test_outlines_run_around_holes_and_parts(client: TestClient) -> None:
    opened(client)
    tile = Image.open(io.BytesIO(client.get("/s/0/layer/0/1/0/0_0.png").content)).convert("RGBA")
    drawn = np.asarray(tile)[..., 3] > 0

    for column, row, side in ((1, 1, "upper"), (2, 2, "upper"), (2, 2, "lower"), (4, 3, "upper"), (6, 4, "upper")):
        x, y = (column + 0.5) * TILE_PX, (row + (side == "lower")) * TILE_PX
        assert drawn[int(y) - 2 : int(y) + 2, int(x)].any(), (column, row, side)
    assert not drawn[int(2.5 * TILE_PX), int(2.5 * TILE_PX)]
    assert not drawn[int(1.5 * TILE_PX), int(1.5 * TILE_PX)]


def test_the_page_is_told_the_result_its_layers_and_places(client: TestClient) -> None:
    [said] = opened(client)["results"]
    grid, shapes, cards, _ = said["layers"]

    assert said["words"].startswith("solid (abnormal with probability 0.920), 2 abnormal regions")
    assert (grid["kind"], grid["title"], grid["unit"]) == ("grid", "Abnormal probability", "%")
    assert [(each["name"], each["count"]) for each in shapes["classes"]] == [("solid", 1), ("cribriform", 1)]
    assert [each["number"] for each in cards["cards"]] == [1, 2]
