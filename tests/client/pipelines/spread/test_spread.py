"""The values of regions while rows come in, and what is said of them; the stages run in this process."""

import math
from functools import partial
from typing import Any

import numpy as np
import pytest

from histoserve.client.contract import Contract
from histoserve.client.errors import ServerError
from histoserve.client.frame import Frame
from histoserve.client.grid import PlannedTile
from histoserve.client.pipelines.spread.options import options
from histoserve.client.pipelines.spread.rows import Rows, angle_of
from histoserve.client.preparation import Preparation
from histoserve.client.results.layers import Arrows, Grid, Shapes
from histoserve.client.wire import Outputs
from histoserve.ensemble.spread.rows import spread_rows
from histoserve.ensemble.spread.slide import spread_slide

SIDE = 100
SETTINGS = {"lesion": 0.5, "reached": 0.1, "least_one_sided": 0.45}
CONTRACT = Contract(
    "spread", {"tile_px": "224", "region_um": "224", **{n: str(v) for n, v in SETTINGS.items()}}, (), 8, ()
)
NETWORK = np.array([[7]], np.int32)


def infer(model: str, arrays: Any) -> Outputs:
    assert model == "spread_slide"
    stage = partial(spread_slide, **SETTINGS)  # type: ignore[arg-type]
    return stage(network=NETWORK, **{name.lower(): array for name, array in arrays.items()})


def tiles_of(values: np.ndarray) -> list[PlannedTile]:
    regions = [(x * SIDE, y * SIDE, SIDE, SIDE) for y, x in np.ndindex(values.shape) if not math.isnan(values[y, x])]
    return [PlannedTile(number, region, region) for number, region in enumerate(regions)]


def answer(tiles: list[PlannedTile], values: np.ndarray) -> Outputs:
    value = np.array([values[t.region[1] // SIDE, t.region[0] // SIDE] for t in tiles], np.float32)[:, None]
    regions, networks = np.array([tile.region for tile in tiles], np.float32), NETWORK.repeat(len(tiles), 0)
    rows = spread_rows(value, value.repeat(13, 1), regions, networks, networks, identity=1)
    return {name: array for name, array in rows.items() if name != "NETWORK"}


def read(picture: str, mpp: float = 2.0, frame: Frame | None = None) -> Rows:
    """A region for each digit, its value in tenths; dots are none."""
    values = np.array([[math.nan if c == "." else int(c) / 10 for c in line] for line in picture.split()])
    rows, tiles = Rows(CONTRACT, mpp), tiles_of(values)
    if frame:
        rows.place(frame)
    for tile in tiles[::-1]:
        rows.take([tile], answer([tile], values))
    rows.finish(infer)
    return rows


def test_direction_extent_and_primary_of_a_slide() -> None:
    result = read("000000 077320 077310 000000").result(0.96)

    assert result["main_direction"] == pytest.approx([0.99954, -0.03029], abs=1e-4)
    assert result["angle_degrees"] == pytest.approx(1.736, abs=1e-3)
    assert result["extent"] == {
        "mm2_lesion": pytest.approx(0.16), "mm2_reached": pytest.approx(0.32),
        "farthest_um": pytest.approx(200 * np.hypot(2.5, 0.5), abs=1e-3),
        "regions_lesion": 4, "regions_reached": 8, "farthest_regions": pytest.approx(np.hypot(2.5, 0.5), abs=1e-5),
    }  # fmt: skip
    assert result["primary"] == {"regions": 4, "centre": [200.0, 200.0], "region": [100, 100, 200, 200]}
    assert result["value"] == {"mean": pytest.approx(3.7 / 24, abs=1e-6), "highest": pytest.approx(0.7)}
    assert result["tissue_mm2"] == 0.96


def test_layers_are_the_values_their_falls_the_extent_and_the_main_direction() -> None:
    grid, extent, falls, main = read("000000 077320 077310 000000").layers()

    assert isinstance(grid, Grid)
    assert isinstance(extent, Shapes)
    assert isinstance(falls, Arrows)
    assert isinstance(main, Arrows)
    assert (grid.title, grid.values.shape, grid.l0_first) == ("value", (4, 6), (0, 0, 100, 100))
    assert [(each.name, each.count) for each in extent.classes] == [("reached", 1), ("lesion", 1), ("primary", 1)]
    shapes = list(extent.each())
    assert shapes[0].l0_outline.tolist() == [[100, 100], [500, 100], [500, 300], [100, 300]]
    assert main.heavy
    assert main.l0_tails.tolist() == [[200, 200]]
    assert np.hypot(*(falls.l0_heads - falls.l0_tails).T).max() == pytest.approx(80, abs=1e-3)


def test_nothing_analysed_no_lesion_and_no_direction_are_told_apart() -> None:
    nothing = Rows(CONTRACT, 2.0)
    nothing.finish(infer)
    results = [nothing.result(0.0), read("0010 0000").result(1.0), read("000 090 000").result(1.0)]

    assert [Rows.words(result) for result in results] == [
        "no value: nothing was analysed",
        "no lesion: no region's value is high (highest 0.10)",
        "no main direction; lesion 0.04, reached 0.04 mm²",
    ]
    assert nothing.layers() == []
    assert results[0]["regions"] == {"rows": 0, "columns": 0, "analysed": 0, "side": 0}


def test_without_a_scale_extent_is_told_in_regions() -> None:
    result = read("05541", mpp=math.nan).result(math.nan)
    extent = result["extent"]

    assert (extent["mm2_lesion"], extent["mm2_reached"], extent["farthest_um"]) == (None, None, None)
    assert (extent["regions_lesion"], extent["regions_reached"], extent["farthest_regions"]) == (2, 4, 2.5)
    assert result["tissue_mm2"] is None
    assert Rows.words(result) == "main direction 0° (0° right, 90° up); lesion 2, reached 4 regions"


def test_a_turned_and_enlarged_picture_is_told_in_px_of_the_original() -> None:
    rows = read("000000 077330 077330 000000", frame=Frame((1000, 500), 2, 90))
    result = rows.result(1.0)

    # Right in the turned picture is down in the original, on the left of the corner.
    assert result["main_direction"] == [0.0, 1.0]
    assert result["angle_degrees"] == 270
    assert result["primary"] == {"regions": 4, "centre": [900.0, 600.0], "region": [850, 550, 100, 100]}
    assert result["regions"]["side"] == 50


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        ({"VALUE": np.array([1.5], np.float32)}, "VALUE.*share from 0 to 1"),
        ({"VALUE": np.array([math.nan], np.float32)}, "VALUE.*share"),
        ({"VALUE": np.array([0.5, 0.5], np.float32)}, r"VALUE float32 \(2,\)"),
        ({"TILE_REGION": np.array([(1, 0, 100, 100)], np.float32)}, "rows of other regions"),
    ],
)
def test_rows_that_do_not_fit_are_the_servers_fault(spoil: dict[str, np.ndarray], told: str) -> None:
    values = np.array([[0.5]])
    tiles = tiles_of(values)
    with pytest.raises(ServerError, match=f"spread_tiles answered .*{told}"):
        Rows(CONTRACT, 2.0).take(tiles, {**answer(tiles, values), **spoil})


def test_a_heat_map_of_other_regions_is_the_servers_fault() -> None:
    def other(model: str, arrays: Any) -> Outputs:
        return {**infer(model, arrays), "HEATMAP": np.zeros((1, 2), np.float32)}

    rows, values = Rows(CONTRACT, 2.0), np.array([[0.5]])
    rows.take(tiles_of(values), answer(tiles_of(values), values))
    with pytest.raises(ServerError, match="spread_slide answered"):
        rows.finish(other)


def test_an_extent_with_a_hole_and_parts_that_touch_at_a_corner() -> None:
    extent = read("7770 7070 7770 0007").layers()[1]

    assert isinstance(extent, Shapes)
    lesion = [shape for shape in extent.each() if shape.of == 1]
    assert [(shape.measurements, len(shape.l0_holes)) for shape in lesion] == [({"Regions": 8}, 1), ({"Regions": 1}, 0)]
    assert np.array(lesion[0].l0_holes[0]).min() == 100
    # The primary is 8-connected, so it is drawn in the same two parts.
    assert len([shape for shape in extent.each() if shape.of == 2]) == 2


@pytest.mark.parametrize(("x", "y", "degrees"), [(1, 0, 0), (0, -1, 90), (-1, 0, 180), (0, 1, 270), (1, 1e-9, 0)])
def test_angles_go_counter_clockwise_from_the_right(x: float, y: float, degrees: float) -> None:
    assert angle_of(x, y) == degrees


def test_options_are_a_preparation() -> None:
    assert options() == Preparation()
    assert options(crop="1, 2,3,4", enlarge=2, rotate=-90, regions=4) == Preparation((1, 2, 3, 4), 2, 270, 4)
    assert options(crop="auto").crop == "auto"
