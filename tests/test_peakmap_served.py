"""Peakmap on a real Triton, with tiny graphs in the place of its networks: the same bits however tiles are sent.

A tile's score of the three types is its mean red, green and blue in 0-1; its feature map is the same in quarters.
"""

import json
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from onnx import TensorProto, helper
from tiny_graphs import graph, tensor

from histoserve.client.analyze import Order, analyze
from histoserve.client.connect import connect
from histoserve.client.errors import Refused
from histoserve.client.travel.encode import Encoding, encode
from histoserve.client.wire import Outputs, Server
from histoserve.deploy.local.triton import LocalTriton

REPOSITORY = Path(__file__).parent.parent / "model_repository"
TIMEOUT_S = 60.0
K = 10
NO_FLOOR = np.full(3, -1, np.float32)
NETWORK = 1234567
LENGTH = 4
BATCHING = 'backend: "onnxruntime" max_batch_size: 32 dynamic_batching { }'
CONFIGS = {
    "peakmap_network": BATCHING
    + """
input { name: "IMAGE" data_type: TYPE_UINT8 dims: [ -1, -1, 3 ] }
output { name: "SCORE" data_type: TYPE_FP32 dims: [ 3 ] }
output { name: "FEATURE_MAP" data_type: TYPE_FP16 dims: [ 3, 2, 2 ] }
output { name: "NETWORK" data_type: TYPE_INT32 dims: [ 1 ] }
output { name: "BOX" data_type: TYPE_FP32 dims: [ 1, 7 ] }
parameters { key: "mpp" value { string_value: "0.5" } }
parameters { key: "types" value { string_value: "ascus,lsil,hsil" } }
parameters { key: "classes" value { string_value: "negative,low_grade,high_grade" } }
""",
    "peakmap_encoder": BATCHING
    + """
input { name: "FEATURE_MAP" data_type: TYPE_FP16 dims: [ 3, 2, 2 ] }
output { name: "EMBEDDING" data_type: TYPE_FP32 dims: [ 4 ] }
output { name: "LOGIT" data_type: TYPE_FP32 dims: [ 1 ] }
""",
    "peakmap_classifier": """
backend: "onnxruntime" max_batch_size: 0
input { name: "POOLED" data_type: TYPE_FP32 dims: [ 3, 4 ] }
output { name: "PROBABILITY" data_type: TYPE_FP32 dims: [ 3 ] }
""",
}


def tiny_repository(folder: Path) -> Path:
    """A copy of peakmap's models in `folder`, its networks replaced."""
    for model in REPOSITORY.glob("peakmap_*"):
        shutil.copytree(
            model, folder / model.name, ignore=shutil.ignore_patterns("*.onnx", "passport.json", "__pycache__")
        )
    graphs = {"peakmap_network": network(), "peakmap_encoder": encoder(), "peakmap_classifier": classifier()}
    for name, made in graphs.items():
        (folder / name / "1").mkdir(parents=True, exist_ok=True)
        (folder / name / "1" / "model.onnx").write_bytes(made)
        (folder / name / "config.pbtxt").write_text(CONFIGS[name])
    return folder


def network() -> bytes:
    nodes = [
        helper.make_node("Cast", ["IMAGE"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "byte"], ["share"]),
        helper.make_node("Transpose", ["share"], ["planes"], perm=[0, 3, 1, 2]),
        # Not ReduceMean over axes 1 and 2: ONNX Runtime adds up a batch of one in another order than larger ones.
        helper.make_node("GlobalAveragePool", ["planes"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["SCORE"]),
        helper.make_node("AveragePool", ["planes"], ["quarters"], kernel_shape=[64, 64], strides=[64, 64]),
        helper.make_node("Cast", ["quarters"], ["FEATURE_MAP"], to=TensorProto.FLOAT16),
        helper.make_node("Shape", ["SCORE"], ["batch"], start=0, end=1),
        helper.make_node("Concat", ["batch", "one"], ["rows"], axis=0),
        helper.make_node("Expand", ["identity", "rows"], ["NETWORK"]),
        helper.make_node("Unsqueeze", ["SCORE", "one"], ["seen"]),
        helper.make_node("Pad", ["seen", "before"], ["BOX"]),
    ]
    weights = {"byte": np.float32(1 / 255), "one": np.array([1]), "identity": np.array([[NETWORK]], np.int32)}
    # Of no place and size, before the scores.
    weights["before"] = np.array([0, 0, 4, 0, 0, 0])
    return graph(
        nodes,
        [tensor("IMAGE", TensorProto.UINT8, "batch", "height", "width", 3)],
        [
            tensor("SCORE", TensorProto.FLOAT, "batch", 3),
            tensor("FEATURE_MAP", TensorProto.FLOAT16, "batch", 3, 2, 2),
            tensor("NETWORK", TensorProto.INT32, "batch", 1),
            tensor("BOX", TensorProto.FLOAT, "batch", 1, 7),
        ],
        weights,
    )


def encoder() -> bytes:
    random = np.random.default_rng(0)
    nodes = [
        helper.make_node("Cast", ["FEATURE_MAP"], ["map"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["map"], ["flat"]),
        helper.make_node("MatMul", ["flat", "embed"], ["EMBEDDING"]),
        helper.make_node("MatMul", ["flat", "gate"], ["LOGIT"]),
    ]
    weights = {name: random.normal(size=(12, n)).astype(np.float32) for name, n in (("embed", LENGTH), ("gate", 1))}
    inputs = [tensor("FEATURE_MAP", TensorProto.FLOAT16, "batch", 3, 2, 2)]
    outputs = [tensor("EMBEDDING", TensorProto.FLOAT, "batch", LENGTH), tensor("LOGIT", TensorProto.FLOAT, "batch", 1)]
    return graph(nodes, inputs, outputs, weights)


def classifier() -> bytes:
    nodes = [
        helper.make_node("Reshape", ["POOLED", "flat"], ["row"]),
        helper.make_node("MatMul", ["row", "weight"], ["logit"]),
        helper.make_node("Softmax", ["logit"], ["PROBABILITY"], axis=0),
    ]
    weight = np.random.default_rng(1).normal(size=(3 * LENGTH, 3)).astype(np.float32)
    inputs, outputs = [tensor("POOLED", TensorProto.FLOAT, 3, LENGTH)], [tensor("PROBABILITY", TensorProto.FLOAT, 3)]
    return graph(nodes, inputs, outputs, {"weight": weight, "flat": np.array([-1])})


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    repository = tiny_repository(tmp_path_factory.mktemp("repository"))
    with LocalTriton(repository, state=tmp_path_factory.mktemp("state")) as triton:
        yield triton.grpc


@pytest.fixture
def server(address: str) -> Iterator[Server]:
    server = Server(address)
    yield server
    server.close()


COLOURS = np.random.default_rng(5).integers(0, 180, (60, 3)).astype(np.uint8)
"""RGB of the tiles of a slide, ten in a row of it."""


def send(server: Server, tiles: np.ndarray, floor: np.ndarray = NO_FLOOR) -> Outputs:
    """The rows of these tiles, each of one colour; without their boxes."""
    images = [encode(np.broadcast_to(COLOURS[i], (16, 16, 3)).copy(), Encoding()) for i in tiles]
    regions = np.array([(16 * (i % 10), 16 * (i // 10), 16, 16) for i in tiles], np.float32)
    # At 4 µm/px 16 px are the network's 64 µm.
    windows = {"TILE": images, "REGION": regions, "WINDOW": regions, "MPP": np.array([4], np.float32)}
    rows = server.infer("peakmap_tiles", {**windows, "FLOOR": floor}, TIMEOUT_S)
    return {name: array for name, array in rows.items() if name != "BOX"}


def joined(answers: list[Outputs]) -> Outputs:
    return {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}


def bits(answer: Outputs) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in answer.items()}


@pytest.fixture(scope="module")
def whole(address: str) -> Outputs:
    """The slide's result, its tiles sent in two requests of a certain order."""
    server = Server(address)
    rows = joined([send(server, part) for part in np.split(np.arange(60), 2)])
    return server.infer("peakmap_slide", rows, TIMEOUT_S)


@pytest.mark.parametrize("size", [1, 7, 32])
@pytest.mark.parametrize("rising", [False, True])
def test_split_order_repetition_and_floor_do_not_change_a_bit(
    server: Server, whole: Outputs, size: int, rising: bool
) -> None:
    order = np.random.default_rng(size).permutation(np.repeat(np.arange(60), 2))
    answers, floor = [], NO_FLOOR
    for start in range(0, len(order), size):
        answers.append(send(server, order[start : start + size], floor))
        if rising and start % 4 == 0:
            floor = server.infer("peakmap_slide", joined(answers), TIMEOUT_S)["PEAK_SCORE"][:, -1].copy()
    assert bits(server.infer("peakmap_slide", joined(answers), TIMEOUT_S)) == bits(whole)


def test_the_result_is_what_the_colours_say(whole: Outputs) -> None:
    scores = COLOURS / 255
    for t in range(3):
        best = np.sort(scores[scores[:, t] >= 0.5, t])[::-1][:K]
        np.testing.assert_allclose(whole["PEAK_SCORE"][t, : len(best)], best, atol=1e-4)
        x, y = whole["PEAK_REGION"][t, 0, :2] // 16
        assert scores[int(10 * y + x), t] == pytest.approx(best[0], abs=1e-4)
    np.testing.assert_allclose(whole["ATTENTION"].astype(float).sum(axis=1), 1, atol=1e-7)
    assert whole["PROBABILITY"].sum() == pytest.approx(1)


def test_tiles_of_no_type_are_no_rows_and_still_a_slide(server: Server) -> None:
    dark = np.flatnonzero((COLOURS < 127).all(axis=1))
    rows = send(server, dark[:4])
    answer = server.infer("peakmap_slide", rows, TIMEOUT_S)

    assert {name: array.shape for name, array in rows.items()} == {
        "TILE_REGION": (0, 4), "SCORE": (0, 3), "FEATURE_MAP": (0, 3, 2, 2), "NETWORK": (4, 1),
    }  # fmt: skip
    assert (answer["PEAK_SCORE"] == -1).all()
    assert answer["ATTENTION"].tolist() == [[1] + [0] * (K - 1)] * 3
    assert answer["PROBABILITY"].shape == (3,)


BAD_ROWS = {
    "nan": ("SCORE", np.nan, r"SCORE 0, of the region .*nan.*from 0 to 1"),
    "two networks": ("NETWORK", 8, "rows of two networks are mixed: NETWORK 0 is 8, NETWORK 1 is"),
    "another slide's tile": ("TILE_REGION", None, "rows 0 and 1 are both of the region.*differ in SCORE"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_rows_that_cannot_be_are_refused_in_words(server: Server, whole: Outputs, name: str) -> None:
    tensor, value, message = BAD_ROWS[name]
    rows = joined([send(server, part) for part in np.split(np.arange(60), 2)])
    bad = rows[tensor].copy()
    bad[0] = bad[1] if value is None else value
    with pytest.raises(Refused, match=f"INVALID_ARGUMENT: .*peakmap_select: {message}"):
        server.infer("peakmap_slide", {**rows, tensor: bad}, TIMEOUT_S)
    assert bits(server.infer("peakmap_slide", rows, TIMEOUT_S)) == bits(whole)


def test_a_floor_of_the_wrong_length_is_refused_in_words(server: Server) -> None:
    with pytest.raises(
        Refused, match=r"INVALID_ARGUMENT: .*'FLOOR' for model 'peakmap_tiles'. Expected \[3\], got \[2\]"
    ):
        send(server, np.arange(2), NO_FLOOR[:2])
    with pytest.raises(Refused, match=r"INVALID_ARGUMENT: .*peakmap_filter: FLOOR is .*nan.*finite"):
        send(server, np.arange(2), np.full(3, np.nan, np.float32))
    rows = send(server, np.arange(30))
    box = np.zeros((len(rows["SCORE"]), 1, 7), np.float32)
    given = {"REGION": rows.pop("TILE_REGION"), **rows, "DECODER": rows["NETWORK"], "BOX": box, "FLOOR": NO_FLOOR[:2]}
    with pytest.raises(Refused, match=r"INVALID_ARGUMENT: peakmap_filter: FLOOR is \[2\], wanted \[3\]"):
        server.infer("peakmap_filter", given, TIMEOUT_S)
    assert len(send(server, np.arange(30))["SCORE"]) == len(rows["SCORE"])


class Silent:
    """A watcher."""

    def phase(self, text: str) -> None: ...

    def say(self, text: str) -> None: ...

    def planned(self, tiles: int) -> None: ...

    def done(self, tiles: int) -> None: ...


@pytest.mark.parametrize(("batch", "in_flight"), [(3, 1), (32, 4)])
def test_a_slide_is_analysed(address: str, tmp_path: Path, whole: Outputs, batch: int, in_flight: int) -> None:
    # 128 px of 0.5 µm are the network's tile.
    cells = COLOURS.reshape(6, 10, 3)[..., ::-1].repeat(128, 0).repeat(128, 1)
    cv2.imwrite(str(tmp_path / "cells.png"), cells)
    order = Order(tmp_path / "cells.png", "peakmap", tmp_path / "out", 0.5, in_flight, batch)
    report = analyze(order, partial(connect, [address], "peakmap", TIMEOUT_S), Silent())

    assert report.failed == 0
    peaks = [report.result["result"]["types"][name]["peaks"] for name in ("ascus", "lsil", "hsil")]
    for t, of_type in enumerate(peaks):
        assert [each["region"][:2] for each in of_type] == (whole["PEAK_REGION"][t, :, :2] * 8).tolist()
        np.testing.assert_allclose([each["attention"] for each in of_type], whole["ATTENTION"][t], atol=1e-5)
    place = tmp_path / "out" / "cells" / "peakmap"
    files = ["layers.json", "overview.png", "peakmap.geojson", "peakmap.parquet", "peaks.png", "result.json"]
    assert sorted(path.name for path in place.iterdir()) == files
    assert json.loads((place / "result.json").read_text())["transfer"]["peakmap_slide"]["requests"] == 1
