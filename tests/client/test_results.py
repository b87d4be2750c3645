"""Result files: readable by others, placed where they should be."""

import json
from pathlib import Path
from uuid import UUID

import cv2
import numpy as np
import pytest
from shapely.geometry import shape

from histoserve.client.results.geojson import detection, write_geojson
from histoserve.client.results.overview import LARGEST_ENLARGEMENT, Overview

CLASS = {"name": "dark", "color": [1, 2, 3]}


def test_features_are_written_one_a_line(tmp_path: Path) -> None:
    contour = np.array([[0.123, -0.001], [10, 0], [10.456, 10], [0, 10]], np.float32)
    write_geojson(tmp_path / "a.geojson", "nuclei/a", [detection(contour, CLASS, {"Area µm^2": 1.5})] * 3)

    text = (tmp_path / "a.geojson").read_text(encoding="utf-8")
    collection = json.loads(text)

    assert len(text.splitlines()) == 3 + 2
    assert collection["features"][0]["geometry"]["coordinates"][0][:3] == [[0.12, 0.0], [10, 0], [10.46, 10]]
    assert "-0.0" not in text
    assert all(shape(feature["geometry"]).is_valid for feature in collection["features"])


def test_ids_are_uuids_that_follow_from_slide_and_feature(tmp_path: Path) -> None:
    features = [detection(np.array([[x, 0], [9, 9], [0, 9]], np.float32), CLASS, {}) for x in range(3)]
    ids = []
    for of, order in (("nuclei/a", 1), ("nuclei/a", -1), ("nuclei/b", 1)):
        write_geojson(tmp_path / "a.geojson", of, features[::order])
        collection = json.loads((tmp_path / "a.geojson").read_text())
        ids.append([str(UUID(feature["id"])) for feature in collection["features"]])

    assert ids[0] == ids[1][::-1]
    assert len({*ids[0], *ids[2]}) == 6


def test_a_collection_without_features_is_valid(tmp_path: Path) -> None:
    write_geojson(tmp_path / "a.geojson", "nuclei/a", [])

    assert json.loads((tmp_path / "a.geojson").read_text()) == {"type": "FeatureCollection", "features": []}


def test_outlines_lie_where_the_slide_shows_them(tmp_path: Path) -> None:
    overview = Overview(np.full((100, 200, 3), 255, np.uint8), l0_width=2000)
    overview.outline([np.array([[500, 200], [1500, 200], [1500, 800], [500, 800]], np.float32)], (255, 0, 0))
    overview.write(tmp_path / "o.png")

    image = cv2.imread(str(tmp_path / "o.png"))[..., ::-1]
    rows, columns = np.nonzero(image[..., 1] < 200)

    scale = 0.1 * LARGEST_ENLARGEMENT
    np.testing.assert_allclose([columns.min(), columns.max() + 1], [500 * scale, 1500 * scale], atol=2)
    np.testing.assert_allclose([rows.min(), rows.max() + 1], [200 * scale, 800 * scale], atol=2)
    assert image[:, :, 0].min() > 200 > image[:, :, 1].min()


def test_a_mark_of_a_tiny_region_can_be_seen_and_stays_in_the_picture(tmp_path: Path) -> None:
    overview = Overview(np.full((1000, 2000, 3), 255, np.uint8), l0_width=200_000)
    red, blue = (255, 0, 0), (0, 0, 255)
    overview.mark(np.array([100_000, 50_000, 64, 64], np.float32), [("1", red)])
    overview.mark(np.array([199_900, 99_900, 64, 64], np.float32), [("2", red), ("3", blue)])
    overview.write(tmp_path / "o.png")

    image = cv2.imread(str(tmp_path / "o.png"))[..., ::-1]
    frame = np.argwhere((image[:, :1005] == red).all(axis=2))
    np.testing.assert_allclose([*frame.min(axis=0), *frame.max(axis=0)], [494, 994, 506, 1004], atol=1)
    assert (image[480:520, 1005:1030] == red).all(axis=2).any(), "the number stands beside the frame"
    corner = image[900:, 1900:]
    assert (corner == red).all(axis=2).any()
    assert (corner == blue).all(axis=2).any()


def test_a_legend_too_wide_for_the_slide_is_wrapped(tmp_path: Path) -> None:
    entries = [(f"type {i}", (255, 0, 0)) for i in range(12)]
    heights = []
    for width in (1100, 2000):
        overview = Overview(np.zeros((100, width, 3), np.uint8), l0_width=width)
        overview.legend(entries)
        overview.write(tmp_path / "o.png")
        heights.append(cv2.imread(str(tmp_path / "o.png")).shape[0])

    assert heights[0] > heights[1] > 100


def test_outlines_count_from_the_origin_that_the_file_names(tmp_path: Path) -> None:
    square = np.array([[1500, 900], [1510.5, 900], [1510.5, 920], [1500, 920]], np.float32)
    feature = detection(square, CLASS, {"Area px^2": 210.0})
    write_geojson(
        tmp_path / "a.geojson", "nuclei/a", [{**feature, "nucleusGeometry": feature["geometry"]}], (1500, 900)
    )

    written = json.loads((tmp_path / "a.geojson").read_text())
    assert written["histoserve_origin"] == [1500, 900]
    for name in ("geometry", "nucleusGeometry"):
        assert shape(written["features"][0][name]).bounds == (0, 0, 10.5, 20)
    assert written["features"][0]["properties"] == feature["properties"]


@pytest.mark.parametrize("side", [50, 400])
def test_the_outline_of_the_tissue_is_drawn_faintly_and_in_place(tmp_path: Path, side: int) -> None:
    mask = np.zeros((20, 30), np.bool_)
    mask[5:15, 10:20] = True
    overview = Overview(np.full((side * 2 // 3, side, 3), 240, np.uint8), 480)
    overview.edge(mask, 16)
    overview.write(tmp_path / "overview.png")

    image = cv2.imread(str(tmp_path / "overview.png"))
    px = image.shape[1] / 30
    rows, columns = np.nonzero(image[..., 0] < 240)
    assert (rows.min(), columns.min()) == pytest.approx((5 * px, 10 * px), abs=1)
    assert (rows.max(), columns.max()) == pytest.approx((15 * px - 1, 20 * px - 1), abs=1)
    assert 100 < image.min() < 200
    assert (image[int(8 * px) : int(12 * px), int(13 * px) : int(17 * px)] == 240).all()
