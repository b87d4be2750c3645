"""Results of a pipeline that nobody knows, on small slides, and the page that shows them."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from starlette.testclient import TestClient

from histoserve.client.resolution import Resolution
from histoserve.client.results.geojson import write_geojson
from histoserve.client.results.layers import Arrows, Card, Cards, Class, Grid, Layer, Shape, Shapes
from histoserve.client.results.layers_json import Background, write_layers
from histoserve.client.results.result_json import describe_slide, write_result
from histoserve.client.results.source import source_of
from histoserve.client.slide import open_slide
from histoserve.client.view.app import Settings, make_app
from histoserve.client.view.command import files_of
from histoserve.client.view.find import find_results
from histoserve.client.view.open_slides import OpenSlides
from histoserve.client.view.slides import group

PIPELINE = "moons"
TEMPLATES = {
    "list.html": "{{ language }} {{ files }} {% for each in slides %}[{{ each.number }} {{ each.name }} "
    "{{ each.words }}]{% endfor %} {{ problems }} {{ pairs }}",
    "page.html": "{{ language }} {{ for }} {{ files }} {{ root }} {{ slide.number }} {{ slide.name }} "
    "{{ texts.hello }}",
    "beside.html": "{{ files }} {{ first.name }} {{ second.name }}",
    "token.html": "a token please {{ root }} {{ wrong }}",
}


class Found(NamedTuple):
    """As layers/found."""

    name: str
    numbers: Mapping[str, float]
    l0_outline: list[list[float]]


class FakeLayer:
    """Whose tiles say what was asked for."""

    def tile(self, z: int, x: int, y: int, of: frozenset[int] | None, least: float | None) -> bytes:
        return f"{z} {x} {y} {None if of is None else sorted(of)} {least}".encode()

    def at(self, l0_x: float, l0_y: float) -> list[Found]:
        return [Found("full moon", {"area": l0_x, "odd": float("nan")}, [[0, 0], [1, 0], [1, 1]])]


def fake_layers(saved: Any, folder: Path, *_: Any) -> dict[str, FakeLayer]:
    if "cut" in (folder / f"{PIPELINE}.geojson").read_text():
        raise ValueError(f"{folder}/{PIPELINE}.geojson is cut off in line 3")
    return {**{str(number): FakeLayer() for number in range(len(saved.layers))}, "not-seen": FakeLayer()}


def some_layers() -> list[Layer]:
    """One of each kind."""
    square = np.array([(10, 10), (30, 10), (30, 30), (10, 30)], np.float32)
    classes = [Class("full", (255, 240, 0), 1), Class("new", (0, 230, 170), 0)]
    card = Card(np.array([10.1, 10, 20, 20], np.float32), 1, 0, "first", {"score": 0.5})
    return [
        Shapes(classes, lambda: iter([Shape(square, 0, {"Area": 400.0})])),
        Grid("light", np.array([[0.5, np.nan]], np.float32), (0, 0, 64, 64), (0, 1), "%"),
        Arrows("tide", square[:2], square[2:], (0, 110, 255)),
        Cards("sheet", "Not a diagnosis.", classes, [card]),
    ]


@pytest.fixture
def write() -> Callable[..., Path]:
    """`write(OUT, slide's file)` → the folder of its result."""

    def write_one(out: Path, slide_path: Path, mpp: float = 0.25, pipeline: str = PIPELINE) -> Path:
        folder = out / slide_path.stem / pipeline
        folder.mkdir(parents=True)
        with open_slide(slide_path) as slide:
            said = describe_slide(slide, Resolution(mpp, "slide" if slide.stated_mpp else "--mpp"), 0)
            width, height = slide.l0_size
            picture = np.full((height + 40, width + 10, 3), 40, np.uint8)
            picture[30 : 30 + height, :width] = slide.read((0, 0, width, height), 0)
        counts = write_geojson(folder / f"{pipeline}.geojson", pipeline, some_layers()).features
        seen = Background((0, 30, width, height), [(0, 0, 128, 128)], [(128, 0, 64, 64)])
        write_layers(folder / "layers.json", "1 moon", some_layers(), counts, seen)
        # OpenCV ends the process on a path that is not UTF-8.
        (folder / "overview.png").write_bytes(cv2.imencode(".png", picture[..., ::-1])[1].tobytes())
        models = [{"name": "moon_network", "version": "1", "sha256": "ab"}]
        result = {"moons": {"count": 1, "list": [1, 2]}, "odd": None, "word": "full"}
        content = {"schema": 1, "histoserve": "0.1.0", "finished": "2026-11-26T20:17:28+00:00",
                   "slide": {**said, **source_of(slide_path).described()}, "result": result,
                   "pipeline": {"name": pipeline, "models": models, "network": 7},
                   "tiles": {"planned": 3, "failed": [{"index": 2}]}}  # fmt: skip
        write_result(folder / "result.json", content)
        return folder

    return write_one


@pytest.fixture
def out(write: Callable[..., Path], slide_path: Path, tmp_path: Path) -> Path:
    """OUT, with the result of discs.png."""
    return write(tmp_path / "out", slide_path).parents[1]


@pytest.fixture
def page_folder(tmp_path: Path) -> Path:
    """A page of a few words."""
    folder = tmp_path / "page"
    (folder / "texts").mkdir(parents=True)
    for name, text in TEMPLATES.items():
        (folder / name).write_text(text)
    (folder / "page.js").write_text("export {};\n")
    for language, hello in (("en", "hello"), ("zh", "你好")):
        (folder / "texts" / f"{language}.json").write_text(json.dumps({"hello": hello}))
    return folder


Show = Callable[..., TestClient]


@pytest.fixture
def app(page_folder: Path, tmp_path: Path) -> Callable[..., Any]:
    """`app(OUT…, slide=…, settings by name)` → the app; `app.told` holds what it remarked."""

    def make(*outs: Path, slide: Path | None = None, layers: Any = fake_layers, **settings: Any) -> Any:
        slides, problems = group(*find_results(outs))
        opened = OpenSlides(slides, files_of(slide, slides), layers, tmp_path / "cache", told.append)
        return make_app(
            opened, problems, Settings(**{"page": page_folder, "hosts": ["testserver"], **settings}), told.append
        )

    told: list[str] = []
    make.told = told  # type: ignore[attr-defined]
    return make


@pytest.fixture
def show(app: Callable[..., Any]) -> Iterator[Show]:
    """The same → a client of it, which follows no redirects."""
    with ExitStack() as stack:
        yield lambda *outs, **settings: stack.enter_context(
            TestClient(app(*outs, **settings), follow_redirects=False, raise_server_exceptions=False)
        )


def shrunk(image: NDArray[np.uint8], factor: float, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The mean of what each px shows, as a scanner makes a level: px k begins at `factor` k, whatever the size."""

    def weights(px: int, length: int) -> NDArray[np.float64]:
        begin = np.arange(px)[:, None] * factor
        shared = (np.minimum(begin + factor, np.arange(1, length + 1)) - np.maximum(begin, np.arange(length))).clip(0)
        return np.asarray(shared / shared.sum(1, keepdims=True))

    down, across = weights(size[1], image.shape[0]), weights(size[0], image.shape[1])
    return np.asarray(np.einsum("ai,ijc,bj->abc", down, image, across, optimize=True).round().astype(np.uint8))


def write_pyramid(path: Path, image: NDArray[np.uint8], levels: Mapping[float, tuple[int, int]]) -> Path:
    """A tiled TIFF of `image` with 0.25 µm/px, and of it shrunk by each factor to (width, height)."""
    with tifffile.TiffWriter(path) as tiff:
        for factor, size in {1.0: image.shape[1::-1], **levels}.items():
            level = image if factor == 1 else shrunk(image, factor, (size[0], size[1]))
            per_cm = 1e4 / 0.25 / factor
            tiff.write(level, tile=(64, 64), photometric="rgb", subfiletype=int(factor > 1), metadata=None,
                       resolution=(per_cm, per_cm), resolutionunit="CENTIMETER")  # fmt: skip
    return path


@pytest.fixture
def pyramid() -> Callable[..., Path]:
    """`write_pyramid`."""
    return write_pyramid
