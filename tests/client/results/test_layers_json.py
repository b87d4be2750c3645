"""What the page reads is what the pipeline handed out."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from histoserve.client.results.layers import Arrows, Card, Cards, Class, Grid, Layer, Shapes
from histoserve.client.results.layers_json import Background, Saved, ShapesInFile, read_layers, write_layers

CLASSES = [Class("a", (255, 0, 0), 2), Class("b", (0, 0, 255), 0)]
GRID = Grid("share", np.array([[0.5, np.nan], [1, 0]], np.float32), (0, 10, 20.5, 20.5), (0, 1), "%")
ARROWS = Arrows("spread", np.zeros((1, 2), np.float32), np.ones((1, 2), np.float32), (1, 2, 3), heavy=True)
CARDS = Cards("peaks", "Places.", CLASSES, [Card(np.array([1, 2, 3, 4], np.float32), 7, 1, "seen", {"Score": 0.5})])
BELOW = Background((0, 40, 200, 100), [(0, 0, 8, 8)], [(8, 0, 8, 8)])


def saved(path: Path, *layers: Layer, features: int = 0) -> Saved:
    write_layers(path / "layers.json", "words", layers, [features] * len(layers), BELOW)
    return read_layers(path / "layers.json")


def test_every_kind_of_layer_comes_back(tmp_path: Path) -> None:
    shapes, grid, arrows, cards = saved(tmp_path, Shapes(CLASSES, lambda: iter(())), GRID, ARROWS, CARDS).layers

    assert shapes == ShapesInFile(CLASSES, 0)
    assert isinstance(grid, Grid)
    assert (grid.title, grid.l0_first, grid.limits, grid.unit) == (("share", (0, 10, 20.5, 20.5), (0, 1), "%"))
    np.testing.assert_array_equal(grid.values, GRID.values)
    assert isinstance(arrows, Arrows)
    assert arrows.heavy
    assert arrows.l0_heads.tolist() == [[1, 1]]
    assert isinstance(cards, Cards)
    assert cards.each[0].l0_region.tolist() == [1, 2, 3, 4]
    assert (cards.each[0].number, cards.each[0].of, cards.each[0].numbers) == (7, 1, {"Score": 0.5})


def test_what_was_looked_at_comes_back(tmp_path: Path) -> None:
    below = saved(tmp_path).background

    assert [list(region) for region in (*below.seen, *below.not_seen)] == [[0, 0, 8, 8], [8, 0, 8, 8]]


def test_a_turned_grid_comes_back(tmp_path: Path) -> None:
    grid = saved(tmp_path, replace(GRID, turned=30.5)).layers[0]

    assert isinstance(grid, Grid)
    assert grid.turned == 30.5


@pytest.mark.parametrize("of", [0, 1, None])
def test_what_belongs_to_a_grid_comes_back(tmp_path: Path, of: int | None) -> None:
    grid = saved(tmp_path, replace(GRID, of=of, said="50 %")).layers[0]

    assert isinstance(grid, Grid)
    assert (grid.of, grid.said) == (of, "50 %")


def test_an_empty_grid_comes_back(tmp_path: Path) -> None:
    grid = saved(tmp_path, Grid("none", np.empty((0, 0), np.float32), (0, 0, 1, 1), (0, 1))).layers[0]

    assert isinstance(grid, Grid)
    assert grid.values.size == 0


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 2}', '{"schema": 1, "layers": [{"kind": "hologram"}]}'])
def test_another_file_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "layers.json").write_text(text)

    with pytest.raises(ValueError, match=r"layers\.json"):
        read_layers(tmp_path / "layers.json")


def test_the_text_is_that_of_python_s_json(tmp_path: Path) -> None:
    write_layers(tmp_path / "layers.json", 'µ "words"', [ARROWS, CARDS], [1, 0], BELOW)

    text = (tmp_path / "layers.json").read_text("utf-8")
    assert text == json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":")) + "\n"
    assert list(json.loads(text)) == ["schema", "words", "overview", "seen", "not_seen", "layers"]
