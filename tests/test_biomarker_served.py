"""Biomarker on a real Triton, with tiny graphs in the place of its networks: a tile's readings are its mean colours."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from biomarker_repository import MARKERS, REPOSITORY, tiny_repository
from google.protobuf.json_format import MessageToDict
from google.protobuf.text_format import Parse
from tritonclient.grpc import InferenceServerClient
from tritonclient.grpc.model_config_pb2 import ModelConfig

from histoserve.client.errors import Refused
from histoserve.client.travel.encode import Encoding, encode
from histoserve.client.wire import Outputs, Server
from histoserve.deploy.local.triton import LocalTriton
from histoserve.ensemble.biomarker.rows import biomarker_rows
from histoserve.ensemble.biomarker.slide import biomarker_slide
from histoserve.ensemble.decode import decode
from histoserve.ensemble.parameters import parameters_from_config

TIMEOUT_S = 240.0
MPP, TILE_PX = 0.6, 512
"""512 px of 0.6 µm are the networks' 307.2 µm."""
ROWS, COLUMNS, K = 2, 4, 5
"""A slide of eight tiles, of which five decide: as thirty of more, which would take a minute."""
FILES = ["biomarker.geojson", "biomarker.parquet", "layers.json", "overview.png", "result.json", "tiles.png"]
Command = Callable[..., tuple[int, str]]


def reds() -> np.ndarray:
    """Of each tile, in 0-255: all different."""
    return np.random.default_rng(0).permutation(ROWS * COLUMNS).reshape(ROWS, COLUMNS) * 30


def picture() -> np.ndarray:
    """RGB, a colour a tile."""
    red = reds().astype(np.uint8)
    return np.dstack([red, np.full_like(red, 51), 255 - red]).repeat(TILE_PX, 0).repeat(TILE_PX, 1)


@pytest.fixture(scope="module")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalTriton]:
    repository = tiny_repository(tmp_path_factory.mktemp("repository"), k=str(K))
    with LocalTriton(repository, state=tmp_path_factory.mktemp("state")) as triton:
        yield triton


@pytest.fixture
def server(triton: LocalTriton) -> Iterator[Server]:
    server = Server(triton.grpc)
    yield server
    server.close()


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("slides") / "cells.png"
    cv2.imwrite(str(path), picture()[..., ::-1])
    return path


@pytest.fixture(scope="module")
def analysed(
    histoserve: Command, triton: LocalTriton, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., tuple[int, str, Path]]:
    """`analysed(slide, *options)` → exit code, what was said, and the result's folder."""

    def run(path: Path, *options: object) -> tuple[int, str, Path]:
        out = tmp_path_factory.mktemp("out")
        order = ("analyze", path, "--mpp", MPP, "--pipeline", "biomarker", "-o", out, "--server", triton.grpc)
        return (*histoserve(*order, *options), out / path.stem / "biomarker")

    return run


@pytest.fixture(scope="module")
def undisturbed(analysed: Callable[..., tuple[int, str, Path]], slide: Path) -> Path:
    """The result of the slide with default options."""
    code, told, folder = analysed(slide)
    assert code == 0, told
    return folder


def files_of(folder: Path) -> dict[str, Any]:
    """All that must be the same: the files, and of `result.json` the result."""
    contents = {path.name: path.read_bytes() for path in folder.iterdir()}
    return {**contents, "result.json": json.loads(contents["result.json"])["result"]}


def counts(triton: LocalTriton, *models: str) -> list[int]:
    """Of each: windows that it has looked at, or requests to a stage."""
    with InferenceServerClient(triton.grpc) as client:
        return [client.get_inference_statistics(model).model_stats[0].inference_count for model in models]


def test_a_slide_is_read_and_its_highest_tiles_decide(undisturbed: Path) -> None:
    result = json.loads((undisturbed / "result.json").read_text())["result"]

    assert sorted(path.name for path in undisturbed.iterdir()) == FILES
    assert list(result["readings"]) == list(MARKERS)
    highest = np.sort(reds().ravel())[::-1][:K] / 255
    ki67, pr = result["readings"]["Ki67"], result["readings"]["PR"]
    # Sums of a million float32 numbers.
    assert (ki67["reading"], ki67["tiles_used"], ki67["tiles"]) == (pytest.approx(highest.mean(), abs=2e-3), K, 8)
    row, column = np.argwhere(reds() == reds().max())[0].tolist()
    assert ki67["highest"][0]["region"] == [column * TILE_PX, row * TILE_PX, TILE_PX, TILE_PX]
    assert pr["highest"][0]["reading"] == pytest.approx(1, abs=2e-3)
    assert result["readings"]["ER"]["reading"] == pytest.approx(0.2, abs=2e-3)


@pytest.mark.parametrize("options", [("--batch", 1, "--in-flight", 2), ("--batch", 3, "--in-flight", 4)])
def test_batch_and_requests_in_flight_do_not_change_a_byte(
    analysed: Any, slide: Path, undisturbed: Path, options: tuple
) -> None:
    assert files_of(analysed(slide, *options)[2]) == files_of(undisturbed)


def request(tiles: np.ndarray, mpp: float = MPP) -> dict[str, Any]:
    """Of these tiles of the slide, counted by rows."""
    image = picture()
    places = [(TILE_PX * (i % COLUMNS), TILE_PX * (i // COLUMNS)) for i in tiles]
    images = [encode(image[y : y + TILE_PX, x : x + TILE_PX].copy(), Encoding()) for x, y in places]
    regions = np.array([(*place, TILE_PX, TILE_PX) for place in places], np.float32)
    return {"TILE": images, "REGION": regions, "WINDOW": regions, "MPP": np.array([mpp], np.float32)}


def send(server: Server, tiles: np.ndarray) -> Outputs:
    return server.infer("biomarker_tiles", request(tiles), TIMEOUT_S)


def joined(answers: list[Outputs]) -> Outputs:
    return {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}


def test_four_markers_cost_one_decode(server: Server, triton: LocalTriton) -> None:
    networks = [f"biomarker_{marker.lower()}_network" for marker in MARKERS]
    before = counts(triton, "biomarker_decode", *networks)
    send(server, np.arange(4))
    send(server, np.arange(4, 7))

    after = counts(triton, "biomarker_decode", *networks)
    assert [late - early for early, late in zip(before, after, strict=True)] == [2, 7, 7, 7, 7]


@pytest.mark.parametrize("size", [1, 3, 4])
def test_split_order_and_repetition_do_not_change_a_bit(server: Server, size: int) -> None:
    order = np.random.default_rng(size).permutation(np.repeat(np.arange(8), 2))
    rows = joined([send(server, order[start : start + size]) for start in range(0, len(order), size)])
    once = joined([send(server, part) for part in np.split(np.arange(8), 2)])
    one, other = (server.infer("biomarker_slide", each, TIMEOUT_S) for each in (once, rows))

    assert all(rows[name].tobytes() == once[name][order].tobytes() for name in ("READING", "TUMOUR"))
    assert other["READING"].tobytes() == one["READING"].tobytes()
    assert order[other["TOP"]].tolist() == one["TOP"].tolist()


def test_no_rows_are_no_reading(server: Server) -> None:
    none = {name: array[:0] for name, array in send(server, np.arange(1)).items()}
    answer = server.infer("biomarker_slide", none, TIMEOUT_S)

    assert (np.isnan(answer["READING"]).all(), (answer["TOP"] == -1).all()) == (True, True)


def changed(**change: Callable[[Any], Any]) -> dict[str, Any]:
    good = request(np.arange(2))
    return good | {name: make(good[name]) for name, make in change.items()}


BAD: dict[str, tuple[Callable[[], dict[str, Any]], str]] = {
    "half the scale": (lambda: request(np.arange(1), MPP / 2), r"153\.\d+ .*307\.2"),
    "five windows": (lambda: request(np.arange(5)), "4"),
    "no picture": (lambda: changed(TILE=lambda tiles: [b"words", *tiles[1:]]), "TILE 0"),
    "a window beyond": (lambda: changed(WINDOW=lambda w: w + np.float32(1e5)), "WINDOW 0"),
    "NaN": (lambda: changed(REGION=lambda r: r * np.float32(np.nan)), "REGION 0"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_request_is_refused_in_words_and_the_next_good_one_answered(server: Server, name: str) -> None:
    make, words = BAD[name]
    with pytest.raises(Refused, match=rf"INVALID_ARGUMENT: .*{words}"):
        server.infer("biomarker_tiles", make(), TIMEOUT_S)
    assert send(server, np.arange(1))["READING"].shape == (1, 4)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("NETWORK", lambda n: n + np.arange(4, dtype=np.int32)[:, None], "rows of two networks are mixed"),
        ("READING", lambda r: r + np.float32(1), "READING 0 is .*; wanted numbers from 0 to 1"),
        ("READING", lambda r: r[:3], r"READING is \[3, 4\], wanted \[4, markers\]"),
        ("TILE_REGION", lambda r: r[[0, 0, 1, 2]], "row 0 contradicts another of the same region"),
    ],
)
def test_rows_that_do_not_belong_together_are_refused(server: Server, name: str, change: Any, words: str) -> None:
    rows = send(server, np.arange(4))
    with pytest.raises(Refused, match=f"INVALID_ARGUMENT: .*{words}"):
        server.infer("biomarker_slide", {**rows, name: change(rows[name])}, TIMEOUT_S)


def test_tiles_without_tumour_are_left_out_of_a_slides_reading(server: Server) -> None:
    rows = send(server, np.arange(4))
    answer = server.infer("biomarker_slide", rows | {"TUMOUR": np.float32([[1], [0.4], [1], [0]])}, TIMEOUT_S)

    # The networks of this test see tumour in what is not green, of which these tiles have a fifth.
    assert rows["TUMOUR"] == pytest.approx(0.8, abs=2e-3)
    wanted = rows["READING"][[0, 2]].mean(axis=0)
    assert answer["READING"] == pytest.approx(wanted, abs=1e-6)
    assert sorted(answer["TOP"][0].tolist()) == [-1, -1, -1, 0, 2]


@pytest.mark.parametrize("name", ["smaller than a tile", "without tissue"])
def test_a_slide_without_any_tile_has_no_reading_and_says_so(analysed: Any, tmp_path: Path, name: str) -> None:
    side = TILE_PX - 1 if name == "smaller than a tile" else 2 * TILE_PX
    colour = (60, 50, 120) if name == "smaller than a tile" else (244, 244, 244)
    cv2.imwrite(str(tmp_path / "none.png"), np.full((side, side, 3), colour, np.uint8))
    code, told, folder = analysed(tmp_path / "none.png")

    assert code == 0, told
    result = json.loads((folder / "result.json").read_text())
    assert {each["reading"] for each in result["result"]["readings"].values()} == {None}
    assert result["tiles"]["planned"] == 0


@pytest.mark.parametrize("name", ["decode", "rows", "slide"])
def test_the_configs_fit_their_stages(name: str) -> None:
    text = (REPOSITORY / f"biomarker_{name}" / "config.pbtxt").read_text()
    config = MessageToDict(Parse(text, ModelConfig(name=name)), preserving_proto_field_name=True)
    stages: dict[str, Any] = {"decode": decode, "rows": biomarker_rows, "slide": biomarker_slide}
    wanted = {"rows": {"markers": MARKERS}, "slide": {"k": 30, "mean_of": "highest", "least_tumour": 0.5}}

    found = parameters_from_config(stages[name], config)
    assert wanted.get(name, {}).items() <= found.items()
