"""HoVer-Net from another program's file: the reference outputs of made-up weights, and what is served of it."""

import csv
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from tiny_graphs import graph as tiny
from tiny_graphs import tensor
from torch import Tensor

from histoserve.export.config import GraphDoesNotFit
from histoserve.export.nuclei.from_hovernet import (
    NAMES,
    TILE_PX,
    WHOLE_PX,
    HoverNetMaps,
    network_from_weights,
    served,
    weights_in,
)
from histoserve.export.nuclei.hovernet import MODES, HoverNet
from histoserve.export.repository import INSTALLED, changes
from histoserve.export.rooms import graphs_of, importer
from histoserve.export.stamp import stamp

RELATIVE = 1e-4


@pytest.fixture(scope="module")
def inputs(shared: Path) -> Path:
    """layout.csv and reference.npz; the README beside them says how the weights are made up."""
    return shared.parent / "inputs" / "hovernet"


def made_up(name: str, number: int, shape: tuple[int, ...]) -> np.ndarray:
    random = np.random.default_rng(number).standard_normal(shape)
    if name.endswith("running_var"):
        return 1 + 0.2 * np.tanh(random)
    if name.endswith("running_mean") or (name.endswith("bias") and len(shape) != 4):
        return 0.05 * random
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape)
    if len(shape) == 4:
        return random * np.sqrt(2 / np.prod(shape[1:]))
    return 1 + 0.1 * random if len(shape) == 1 else random


def layout(folder: Path, mode: str, types: int) -> dict[str, tuple[tuple[int, ...], str]]:
    """Parameter → its shape and type, in order."""
    with (folder / "layout.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if (row["mode"], row["types"]) == (mode, str(types))]
    shapes = [() if row["shape"] == "scalar" else tuple(map(int, row["shape"].split("x"))) for row in rows]
    return {row["parameter"]: (shape, row["dtype"]) for row, shape in zip(rows, shapes, strict=True)}


def checkpoint(folder: Path, mode: str, types: int) -> dict[str, Tensor]:
    return {
        name: torch.from_numpy(np.asarray(made_up(name, number, shape)).astype(dtype))
        for number, (name, (shape, dtype)) in enumerate(layout(folder, mode, types).items())
    }


def image(side: int) -> Tensor:
    y, x = np.mgrid[:side, :side]
    return torch.from_numpy(np.stack([(3 * x + 5 * y) % 256, (x * x // 7 + y) % 256, (x * y // 11) % 256]))[
        None
    ].float()


@cache
def untrained() -> HoverNet:
    torch.manual_seed(0)
    return HoverNet(MODES["fast"], 5).eval()


@pytest.mark.slow
@pytest.mark.parametrize("types", [0, 5, 6])
@pytest.mark.parametrize("mode", MODES)
def test_the_reference_outputs_are_reproduced(inputs: Path, mode: str, types: int) -> None:
    network = network_from_weights(weights_in({"desc": checkpoint(inputs, mode, types)})).eval()

    with torch.no_grad():
        found = network(image(MODES[mode].window_px))

    with np.load(inputs / "reference.npz") as reference:
        wanted = {name: reference[f"{mode}_{types}_{name}"] for name in found}
    assert set(found) == ({"np", "hv", "tp"} if types else {"np", "hv"})
    for name, array in wanted.items():
        difference = np.abs(found[name][0, :, ::4, ::4].numpy() - array).max() / np.abs(array).max()
        assert difference <= RELATIVE, f"{name}: {difference:.2g}"


@pytest.mark.parametrize("types", [0, 5, 6])
@pytest.mark.parametrize("mode", MODES)
def test_its_parameters_are_those_of_the_published_layout_in_order(inputs: Path, mode: str, types: int) -> None:
    with torch.device("meta"):
        state = HoverNet(MODES[mode], types).state_dict()

    found = {name: (tuple(each.shape), str(each.dtype).removeprefix("torch.")) for name, each in state.items()}
    assert list(found.items()) == list(layout(inputs, mode, types).items())


def test_the_maps_are_what_the_network_says_of_the_window_mirrored_at_its_border() -> None:
    network = untrained()
    tile = torch.randint(0, 256, (1, 132, 140, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))

    maps = HoverNetMaps(network)(tile)[0]

    border = MODES["fast"].lost_px // 2
    mirrored = np.pad(tile[0].numpy(), ((border, border), (border, border), (0, 0)), "reflect")
    heads = network(torch.from_numpy(mirrored)[None].permute(0, 3, 1, 2).float())
    assert maps.shape == (132, 140, 3)
    torch.testing.assert_close(maps[..., 0].float(), heads["np"].softmax(1)[0, 1] * 255, atol=0.51, rtol=0)
    assert torch.equal(maps[..., 2], heads["tp"][0, 1:].argmax(0).to(torch.uint8) + 1)


@pytest.mark.parametrize("mode", MODES)
def test_tile_and_margin_are_as_the_network_wants_them(mode: str) -> None:
    lost = MODES[mode].lost_px
    (graph,) = served(HoverNet(MODES[mode], 6).state_dict())

    assert graph.example[0].shape[1:] == (TILE_PX[mode], TILE_PX[mode], 3)
    assert int(graph.parameters["margin_px"]) == lost // 2 + WHOLE_PX
    assert TILE_PX[mode] > 2 * int(graph.parameters["margin_px"])
    assert graph.parameters["types"] == ",".join(NAMES[6])


def test_the_pipelines_configs_must_say_its_tile_and_margin(tmp_path: Path) -> None:
    repository = Path(shutil.copytree(INSTALLED, tmp_path / "repository"))
    (graph,) = served(untrained().state_dict())
    side = TILE_PX["fast"]
    tensors = [tensor(name, TensorProto.UINT8, "N", side, side, 3) for name in ("IMAGE", "MAPS")]
    nodes = [helper.make_node("Identity", ["IMAGE"], ["MAPS"])]
    exported = [(graph, stamp(onnx.load_from_string(tiny(nodes, tensors[:1], tensors[1:], {}))))]

    for model, name, old, new in (("decode", "tile_px", 512, side), ("watershed", "margin_px", 32, 78)):
        with pytest.raises(GraphDoesNotFit, match=rf"{name}: all models.*{new} by .* of nuclei_network"):
            changes(repository, exported)
        path = repository / f"nuclei_{model}" / "config.pbtxt"
        said = f'"{name}" value {{{{ string_value: "{{}}"'
        path.write_text(path.read_text().replace(said.format(old), said.format(new)))

    assert [change.model for change in changes(repository, exported)] == ["nuclei_network"]


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (
            {"desc": {"module.conv1.weight": torch.ones(3)}},
            "holds no weights of a nuclei network: there is no 'decoder",
        ),
        ({"desc": {"decoder.np.u3.conva.weight": torch.ones(1, 1, 7, 7)}}, "decoders of 7 × 7, where HoVer-Net has"),
        ({"desc": {"decoder.np.u3.conva.weight": torch.ones(1, 1, 3, 3)}}, "Missing key"),
        ({"desc": {"decoder.np.u3.conva.weight": torch.full((1,), torch.nan)}}, "holds NaN or infinity"),
        ({"desc": [torch.ones(1)]}, "holds no weights"),
        ([torch.ones(1)], "holds no weights"),
    ],
)
def test_files_that_hold_none_are_told_in_a_line(tmp_path: Path, state: object, message: str) -> None:
    torch.save(state, path := tmp_path / "odd.tar")
    with pytest.raises(ValueError, match=message) as told:
        graphs_of(importer("nuclei", "hovernet"), "nuclei", path)
    assert "\n" not in str(told.value)
    assert "odd.tar" in str(told.value)


def test_a_layout_that_there_is_not_is_told() -> None:
    with pytest.raises(ValueError, match=r"nuclei takes no files from 'unet'; there are: hovernet, onnx"):
        importer("nuclei", "unet")
    with pytest.raises(ValueError, match=r"tissue takes no files from 'hovernet'; there are: onnx, resnet34, vgg16"):
        importer("tissue", "hovernet")
