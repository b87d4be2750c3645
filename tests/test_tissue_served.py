"""Tissue on a real Triton, with a tiny graph in the place of its network: the same bytes however tiles are sent.

A tile's probability of the three classes is its mean red, green and blue, as shares of their sum.
"""

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from onnx import TensorProto, helper
from server_stages import stages_of
from tiny_graphs import graph, tensor
from tissue_wire import colours_of

from histoserve.client.connect import connect
from histoserve.client.errors import Refused
from histoserve.client.results.geojson import write_geojson
from histoserve.client.session import Session
from histoserve.client.stream import Width
from histoserve.client.travel.block import Picture
from histoserve.client.travel.encode import Encoding, encode
from histoserve.client.wire import Outputs, Server
from histoserve.client.work import work_for
from histoserve.deploy.local.triton import LocalTriton

REPOSITORY = Path(__file__).parent.parent / "model_repository"
TIMEOUT_S = 60.0
NETWORK = 1234567
MPP, TILE_PX = 4, 128
"""128 px of 4 µm are the network's 512 µm."""
CONFIG = """
backend: "onnxruntime" max_batch_size: 32 dynamic_batching { }
input { name: "IMAGE" data_type: TYPE_UINT8 dims: [ 224, 224, 3 ] }
output { name: "PROBABILITY" data_type: TYPE_FP32 dims: [ 3 ] }
output { name: "NETWORK" data_type: TYPE_INT32 dims: [ 1 ] }
parameters { key: "mpp" value { string_value: "2.28571" } }
parameters { key: "classes" value { string_value: "normal,solid,cribriform" } }
"""
PICTURE = "nnnnnnnn nssnnnnn nsnsnncn nnsnnnnn nnnnnncc nnnnnnns"
FILES = ["layers.json", "overview.png", "regions.png", "result.json", "tissue.geojson", "tissue.parquet"]
Command = Callable[..., tuple[int, str]]


def tiny_repository(folder: Path, config: str = CONFIG) -> Path:
    """A copy of tissue's models in `folder`, its network replaced."""
    for model in REPOSITORY.glob("tissue_*"):
        shutil.copytree(
            model, folder / model.name, ignore=shutil.ignore_patterns("*.onnx", "passport.json", "origin.json")
        )
    version = folder / "tissue_network" / "1"
    version.mkdir(parents=True, exist_ok=True)
    (version / "model.onnx").write_bytes(network())
    (version.parent / "config.pbtxt").write_text(config)
    return folder


def network() -> bytes:
    nodes = [
        helper.make_node("Cast", ["IMAGE"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["planes"], perm=[0, 3, 1, 2]),
        # Not ReduceMean over axes 1 and 2: ONNX Runtime adds up a batch of one in another order than larger ones.
        helper.make_node("GlobalAveragePool", ["planes"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["colour"]),
        helper.make_node("ReduceSum", ["colour", "one"], ["sum"], keepdims=1),
        helper.make_node("Div", ["colour", "sum"], ["PROBABILITY"]),
        helper.make_node("Shape", ["colour"], ["batch"], start=0, end=1),
        helper.make_node("Concat", ["batch", "one"], ["rows"], axis=0),
        helper.make_node("Expand", ["identity", "rows"], ["NETWORK"]),
    ]
    weights = {"one": np.array([1]), "identity": np.array([[NETWORK]], np.int32)}
    outputs = [tensor("PROBABILITY", TensorProto.FLOAT, "batch", 3), tensor("NETWORK", TensorProto.INT32, "batch", 1)]
    return graph(nodes, [tensor("IMAGE", TensorProto.UINT8, "batch", 224, 224, 3)], outputs, weights)


@pytest.fixture(scope="module")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalTriton]:
    repository = tiny_repository(tmp_path_factory.mktemp("repository"))
    with LocalTriton(repository, state=tmp_path_factory.mktemp("state")) as triton:
        yield triton


@pytest.fixture
def server(triton: LocalTriton) -> Iterator[Server]:
    server = Server(triton.grpc)
    yield server
    server.close()


def painted(path: Path, image: np.ndarray) -> Path:
    cv2.imwrite(str(path), image[..., ::-1].astype(np.uint8))
    return path


def slide_of(picture: str) -> np.ndarray:
    """RGB, a tile of one colour for each letter."""
    return colours_of(picture).repeat(TILE_PX, 0).repeat(TILE_PX, 1)


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return painted(tmp_path_factory.mktemp("slides") / "cells.png", slide_of(PICTURE))


@pytest.fixture
def analysed(histoserve: Command, triton: LocalTriton, tmp_path: Path) -> Callable[..., tuple[int, str, Path]]:
    """`analysed(slide, *options)` → exit code, what was said, and the result's folder."""

    def run(path: Path, *options: object, address: str = triton.grpc, out: str = "out") -> tuple[int, str, Path]:
        order = ("analyze", path, "--mpp", MPP, "--pipeline", "tissue", "-o", tmp_path / out, "--server", address)
        return (*histoserve(*order, *options), tmp_path / out / path.stem / "tissue")

    return run


def files_of(folder: Path) -> dict[str, Any]:
    """All that must be the same: the files, and of `result.json` the result."""
    contents = {path.name: path.read_bytes() for path in folder.iterdir()}
    return {**contents, "result.json": json.loads(contents["result.json"])["result"]}


def test_a_slide_is_analysed(analysed: Any, slide: Path) -> None:
    code, told, folder = analysed(slide)
    result = json.loads((folder / "result.json").read_text())["result"]

    assert (code, sorted(path.name for path in folder.iterdir())) == (0, FILES), told
    assert result["class"] == "solid"
    found = [(each["class"], each["tiles"]) for each in result["regions"]]
    assert found == [("solid", 5), ("cribriform", 3), ("cribriform", 1)]
    assert sum(result["probability"].values()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("options", [("--batch", 1, "--in-flight", 1), ("--batch", 3, "--in-flight", 4)])
def test_batch_and_requests_in_flight_do_not_change_a_byte(analysed: Any, slide: Path, options: tuple) -> None:
    assert files_of(analysed(slide, *options, out="other")[2]) == files_of(analysed(slide)[2])


def send(server: Server, tiles: np.ndarray) -> Outputs:
    """The rows of these tiles of the slide, counted by rows."""
    picture = slide_of(PICTURE)
    columns = picture.shape[1] // TILE_PX
    places = [(TILE_PX * (i % columns), TILE_PX * (i // columns)) for i in tiles]
    images = [encode(picture[y : y + TILE_PX, x : x + TILE_PX].copy(), Encoding()) for x, y in places]
    regions = np.array([(*place, TILE_PX, TILE_PX) for place in places], np.float32)
    given = {"TILE": images, "REGION": regions, "WINDOW": regions, "MPP": np.array([MPP], np.float32)}
    return server.infer("tissue_tiles", given, TIMEOUT_S)


def joined(answers: list[Outputs]) -> Outputs:
    return {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}


@pytest.mark.parametrize("size", [1, 7, 32])
def test_split_order_and_repetition_do_not_change_a_bit(server: Server, size: int) -> None:
    order = np.random.default_rng(size).permutation(np.repeat(np.arange(48), 2))
    rows = joined([send(server, order[start : start + size]) for start in range(0, len(order), size)])
    once = joined([send(server, part) for part in np.split(np.arange(48), 2)])
    one, other = (server.infer("tissue_slide", each, TIMEOUT_S) for each in (once, rows))

    assert rows["PROBABILITY"].tobytes() == once["PROBABILITY"][order].tobytes()
    assert other["PROBABILITY"].tobytes() == one["PROBABILITY"].tobytes()
    assert other["GROUP"].tolist() == one["GROUP"][order].tolist()


def test_rows_of_two_networks_are_refused(server: Server) -> None:
    rows = send(server, np.arange(4))
    rows["NETWORK"] = rows["NETWORK"] + np.arange(4, dtype=np.int32)[:, None]

    with pytest.raises(Refused, match=r"INVALID_ARGUMENT: .*rows of two networks are mixed"):
        server.infer("tissue_slide", rows, TIMEOUT_S)


def test_no_rows_are_no_class(server: Server) -> None:
    none = {name: array[:0] for name, array in send(server, np.arange(1)).items()}

    assert server.infer("tissue_slide", none, TIMEOUT_S)["PROBABILITY"].tolist() == [0, 0, 0]


def with_tissue_beyond(px: int) -> np.ndarray:
    """Glass for two whole tiles each way, and tissue in the corner from `px` on, where the border would cut one."""
    picture = slide_of("... ... ...")[:-28, :-28].copy()
    picture[px:, px:] = slide_of("s")[0, 0]
    return picture


NOTHING: dict[str, np.ndarray] = {
    "smaller than a tile": slide_of("s")[:100, :90],
    "as narrow as no tile": slide_of("ssss")[: TILE_PX - 1],
    "without tissue": slide_of("... ..."),
    "tissue at the border alone": with_tissue_beyond(2 * TILE_PX + 30),
    "one pixel": slide_of("s")[:1, :1],
}
"""Slides of which no tile is analysed."""


@pytest.mark.parametrize("name", NOTHING)
def test_a_slide_without_any_tile_has_no_class_and_says_so(analysed: Any, tmp_path: Path, name: str) -> None:
    code, told, folder = analysed(painted(tmp_path / "none.png", NOTHING[name]))
    result = json.loads((folder / "result.json").read_text())

    assert code == 0, told
    assert (result["result"]["class"], result["result"]["probability"], result["result"]["regions"]) == (None, None, [])
    assert result["tiles"]["planned"] == 0
    unseen = [each for each in result["slide"]["warnings"] if "were not looked at: tiles that the border" in each]
    assert bool(unseen) == (name != "without tissue")
    assert "that does not mean normal" in json.loads((folder / "layers.json").read_text())["layers"][1]["said"]


def in_a_session(triton: LocalTriton, geojson: Path, *, kill_before: int | None = None) -> tuple[dict[str, Any], bytes]:
    """The slide's result and its GeoJSON; before this tile is pushed, a stage is killed."""
    picture = slide_of(PICTURE)
    with connect([triton.grpc], ["tissue"], 240) as wire:
        work = replace(work_for(wire.contract("tissue"), MPP, picture.shape[1::-1]), width=Width(2, 2))
        with Session(wire, work) as session:
            for number, tile in enumerate(work.tiles):
                if number == kill_before:
                    os.kill(stages_of(triton.pid)[0], signal.SIGKILL)
                x, y, side, _ = tile.region
                session.push(Picture(tile, encode(picture[y : y + side, x : x + side].copy(), Encoding())))
            result = session.finish()
            write_geojson(geojson, "tissue/cells", session.rows.layers())
    return result, geojson.read_bytes()


def test_a_stage_that_dies_on_the_way_costs_no_byte(triton: LocalTriton, tmp_path: Path) -> None:
    expected, first = in_a_session(triton, tmp_path / "a.geojson"), triton.pid

    assert in_a_session(triton, tmp_path / "b.geojson", kill_before=20) == expected
    assert len(expected[0]["regions"]) == 3
    assert triton.pid != first


def test_a_network_with_one_class_is_refused_in_words(analysed: Any, slide: Path, tmp_path: Path) -> None:
    repository = tiny_repository(tmp_path / "repository", CONFIG.replace("normal,solid,cribriform", "normal"))
    with LocalTriton(repository, state=tmp_path / "state") as triton:
        code, told, folder = analysed(slide, address=triton.grpc)

    assert (code, folder.exists()) == (1, False)
    assert "has the class 'normal' alone; wanted a normal one and then one or more abnormal ones" in told
