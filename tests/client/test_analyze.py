"""A slide from its file to its result, with a server in this process."""

import json
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pyarrow import parquet
from shapely import from_wkb
from shapely.geometry import shape

from histoserve.client import analyze as analyze_module
from histoserve.client.analyze import Order, Report, analyze
from histoserve.client.errors import HistoserveError, Internal, Refused, SlideError, UnreadableRegion, WrongUsage
from histoserve.client.travel.encode import Encoding

NAMES = ["layers.json", "nuclei.geojson", "nuclei.parquet", "overview.png", "result.json"]


class Silent:
    """A watcher that keeps the count."""

    def __init__(self) -> None:
        self.tiles = self.finished = 0

    def phase(self, text: str) -> None: ...

    def say(self, text: str) -> None: ...

    def planned(self, tiles: int) -> None:
        self.tiles = tiles

    def done(self, tiles: int) -> None:
        self.finished += tiles


@pytest.fixture
def order(slide_path: Path, tmp_path: Path) -> Order:
    return Order(slide_path, "nuclei", tmp_path / "out", mpp=0.25)


def run(order: Order, wire: Any) -> Report:
    return analyze(order, lambda: nullcontext(wire), Silent())


def place(order: Order) -> Path:
    """Of the result."""
    return order.out / order.slide.stem / order.pipeline


def centroids(order: Order) -> list[tuple[float, float]]:
    features = json.loads((place(order) / "nuclei.geojson").read_text())["features"]
    found = [feature["properties"]["measurements"] for feature in features]
    return [(each["Centroid X px"], each["Centroid Y px"]) for each in found]


def test_every_disc_is_found_once_and_in_place(order: Order, disc_wire: Any) -> None:
    run(order, disc_wire())

    image = cv2.cvtColor(cv2.imread(str(order.slide)), cv2.COLOR_BGR2GRAY)
    truth = cv2.connectedComponentsWithStats((image < 180).astype(np.uint8))[3][1:] + 0.5
    np.testing.assert_allclose(sorted(centroids(order)), sorted(map(tuple, truth)), atol=0.01)
    assert len(truth) == 108


def test_the_parquet_has_the_outlines_and_the_numbers_of_the_geojson(order: Order, disc_wire: Any) -> None:
    run(order, disc_wire())

    features = json.loads((place(order) / "nuclei.geojson").read_text())["features"]
    rows = parquet.read_table(place(order) / "nuclei.parquet").to_pylist()
    assert len(rows) == len(features) == 108
    for row, feature in zip(rows, features, strict=True):
        properties = feature["properties"]
        assert from_wkb(row["geometry"]).equals_exact(shape(feature["geometry"]), tolerance=0)
        assert (row["id"], row["class"]) == (feature["id"], properties["classification"]["name"])
        numbers = {name: row[name] for name in properties["measurements"]}
        assert numbers == pytest.approx(properties["measurements"], rel=2**-24)


def test_without_pyarrow_no_parquet_is_left_and_none_is_listed(
    order: Order, disc_wire: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "nuclei.parquet" in run(order, disc_wire()).result["files"]

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    report = run(order, disc_wire())

    assert report.result["files"] == ["layers.json", "nuclei.geojson", "overview.png"]
    assert sorted(path.name for path in place(order).iterdir()) == [*report.result["files"], "result.json"]


def test_three_files_are_left_and_the_result_counts(order: Order, disc_wire: Any) -> None:
    report = run(order, disc_wire())
    result = json.loads((place(order) / "result.json").read_text())

    assert sorted(path.name for path in place(order).iterdir()) == NAMES
    assert result == report.result
    assert result["result"]["nuclei"]["count"] == 108
    assert sum(each["count"] for each in result["result"]["types"].values()) == 108
    assert result["result"]["tissue_mm2"] == pytest.approx(300 * 220 * 0.25**2 / 1e6)
    assert result["tissue"]["tissue_mm2"] == pytest.approx(300 * 220 * 0.25**2 / 1e6)
    assert result["tissue"]["unread_mm2"] == 0
    assert result["tiles"] == {"planned": 54, "resumed": 0, "sent": 54, "failed": []}
    assert result["slide"]["mpp_from"] == "--mpp"
    assert {"name": "nuclei_network", "version": "3", "sha256": "ab12"} in result["pipeline"]["models"]


@pytest.mark.parametrize(("batch", "in_flight"), [(1, 1), (1, 8), (3, 2), (4, 5)])
def test_batch_and_width_do_not_change_a_byte(order: Order, disc_wire: Any, batch: int, in_flight: int) -> None:
    run(order, disc_wire())
    other = replace(order, batch=batch, in_flight=in_flight, out=order.out.with_name("other"))
    run(other, disc_wire())

    for name in NAMES[:2]:
        assert (place(order) / name).read_bytes() == (place(other) / name).read_bytes()


def test_a_finer_slide_gives_the_same_nuclei_at_its_own_pixels(order: Order, disc_wire: Any) -> None:
    doubled = cv2.imread(str(order.slide)).repeat(2, 0).repeat(2, 1)
    cv2.imwrite(str(order.slide), doubled)

    report = run(replace(order, mpp=0.125), disc_wire())

    assert report.result["result"]["nuclei"]["count"] == 108
    assert np.max(centroids(order)) > 500


def test_the_batch_is_what_the_contract_allows(order: Order, disc_wire: Any) -> None:
    wire = disc_wire()
    run(order, wire)

    assert max(wire.requests) == 4
    with pytest.raises(WrongUsage, match=r"--batch 5 .*4 tiles"):
        run(replace(order, batch=5), wire)


def test_a_tile_that_the_server_refuses_is_listed_and_no_other(order: Order, disc_wire: Any) -> None:
    def refuse(regions: Any) -> None:
        if (regions[:, :2] == (32, 32)).all(axis=1).any():
            raise Refused("TILE is no image")

    report = run(order, disc_wire(refuse))

    [failed] = report.result["tiles"]["failed"]
    assert (failed["region"], failed["at"], failed["reason"]) == ([32, 32, 64, 64], "server", "TILE is no image")
    assert report.failed == 1
    assert 100 <= report.result["result"]["nuclei"]["count"] < 108
    assert report.result["result"]["tissue_mm2"] == pytest.approx((300 * 220 - 32 * 32) * 0.25**2 / 1e6)


def test_nothing_is_left_if_no_tile_could_be_analysed(order: Order, disc_wire: Any) -> None:
    def fail(regions: Any) -> None:
        raise Internal("stub killed")

    with pytest.raises(HistoserveError, match="stub killed"):
        run(order, disc_wire(fail))
    assert not order.out.exists()


def test_an_interruption_keeps_the_old_result_where_it_is_not_taken_for_its_own(order: Order, disc_wire: Any) -> None:
    def interrupt(regions: Any) -> None:
        raise KeyboardInterrupt

    run(order, disc_wire())
    before = {path.name: path.read_bytes() for path in place(order).iterdir()}
    with pytest.raises(KeyboardInterrupt, match=r"kept in .*\.previous-nuclei"):
        run(order, disc_wire(interrupt))

    assert not place(order).exists()
    kept = place(order).with_name(".previous-nuclei")
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == before


def test_glass_is_not_sent(order: Order, disc_wire: Any) -> None:
    cv2.imwrite(str(order.slide), np.full((300, 400, 3), 244, np.uint8))
    wire = disc_wire()

    report = run(order, wire)

    assert wire.requests == []
    assert report.result["tiles"]["planned"] == 0
    assert report.result["result"]["nuclei"] == {"count": 0, "per_mm2": None}


def test_a_slide_smaller_than_a_tile_is_padded(order: Order, disc_wire: Any) -> None:
    cv2.imwrite(str(order.slide), cv2.imread(str(order.slide))[:40, :50])

    assert run(order, disc_wire()).result["tiles"]["planned"] == 1


def test_jpeg_is_recorded(order: Order, disc_wire: Any) -> None:
    assert run(replace(order, encoding=Encoding("jpeg", 80)), disc_wire()).result["encoding"] == "jpeg:80"


def test_an_image_without_resolution_is_refused_before_any_server(order: Order) -> None:
    def connect() -> Any:
        pytest.fail("connected")

    with pytest.raises(SlideError, match="--mpp"):
        analyze(replace(order, mpp=None), connect, Silent())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("TCGA-CR-7395-01A-01-TS1.svs", "does not say.*--mpp"),
        ("damaged/CMU-1-Small-Region.wrong-mpp.tiff", r"0\.00499 µm/px.*implausible"),
        ("damaged/unreadable.svs", "Nothing of"),
        ("damaged/unopenable.tiff", "cannot open"),
        ("dicom_jpeg/multi_frame_jpeg_camelyon_challenge_image.dcm", r"28\.\d+ µm/px.*0\.25 µm/px"),
    ],
)
def test_slides_that_cannot_be_analysed(shared: Path, order: Order, disc_wire: Any, name: str, words: str) -> None:
    with pytest.raises(SlideError, match=words):
        run(replace(order, slide=shared / "slides" / name, mpp=None), disc_wire())
    assert not order.out.exists()


def test_unreadable_tiles_are_listed(order: Order, disc_wire: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = analyze_module.open_slide

    def open_damaged(path: Path) -> Any:
        slide = opened(path)
        read = slide.read
        slide.read = lambda region, level: fail(region) if region[:2] == (64, 96) else read(region, level)
        return slide

    def fail(region: Any) -> None:
        raise UnreadableRegion("bogus marker")

    monkeypatch.setattr(analyze_module, "open_slide", open_damaged)
    tiles = run(order, disc_wire()).result["tiles"]

    assert (tiles["sent"], [each["at"] for each in tiles["failed"]]) == (53, ["reading"])


@pytest.mark.parametrize("least_side", [0, 65])
def test_no_density_is_computed_from_what_was_not_seen(
    order: Order, disc_wire: Any, monkeypatch: pytest.MonkeyPatch, least_side: int
) -> None:
    opened = analyze_module.open_slide

    def open_damaged(path: Path) -> Any:
        slide = opened(path)
        read = slide.read
        # A damaged corner that tiles of 64 px can be read from, but nothing larger; or nothing at all.
        slide.read = lambda region, level: (
            fail() if max(region[2:]) >= least_side and region[0] < 64 and region[1] < 64 else read(region, level)
        )
        return slide

    def fail() -> None:
        raise UnreadableRegion("bogus marker")

    whole = run(order, disc_wire()).result
    monkeypatch.setattr(analyze_module, "open_slide", open_damaged)
    damaged = run(replace(order, out=order.out.with_name("damaged")), disc_wire()).result

    failed, unread = len(damaged["tiles"]["failed"]), damaged["tissue"]["unread_mm2"]
    assert (failed > 0, unread > 0) == (least_side == 0,) * 2
    assert damaged["result"]["nuclei"]["per_mm2"] == pytest.approx(whole["result"]["nuclei"]["per_mm2"], rel=0.1)
    if least_side:
        assert damaged["result"] == whole["result"]
