"""Results with made-up layers, opened as the page does."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from histoserve.client.results.geojson import write_geojson
from histoserve.client.results.layers import Layer
from histoserve.client.results.layers_json import LAYERS, Background, read_layers, write_layers
from histoserve.client.view.layers.drawn import DrawnLayer, open_layers

Opened = Callable[..., dict[str, DrawnLayer]]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """`write(layer, …, seen=…, not_seen=…, origin=…)`: the folder of a result of the pipeline `made_up`."""

    def written(
        *layers: Layer,
        seen: Sequence[tuple[int, int, int, int]] = (),
        not_seen: Sequence[tuple[int, int, int, int]] = (),
        origin: tuple[int, int] = (0, 0),
    ) -> Path:
        folder = tmp_path / "result"
        folder.mkdir(exist_ok=True)
        features = write_geojson(folder / "made_up.geojson", "made_up/slide", layers, origin).features
        write_layers(folder / LAYERS, "words", layers, features, Background((0, 0, 1, 1), seen, not_seen))
        return folder

    return written


@pytest.fixture
def reopen(tmp_path: Path) -> Opened:
    """`reopen(folder, size, told)`: the layers of a result in it; what is told goes to the list `told`."""

    def opened(folder: Path, size: tuple[int, int], told: list[str] | None = None) -> dict[str, DrawnLayer]:
        saved = read_layers(folder / LAYERS)
        heard = [] if told is None else told
        cache = tmp_path / "cache"
        return open_layers(saved, folder, "made_up", size, cache, lambda words, share: heard.append(words))

    return opened


@pytest.fixture
def layers_of(write: Callable[..., Path], reopen: Opened) -> Opened:
    """`layers_of(size, layer, …)`: written and opened."""
    return lambda size, *layers, **background: reopen(write(*layers, **background), size)
