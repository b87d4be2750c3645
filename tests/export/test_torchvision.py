"""Files of torchvision's layout: made-up weights against plain PyTorch, step by step, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from histoserve.export.biomarker.network import BiomarkerNetwork
from histoserve.export.graph import onnx_from_module
from histoserve.export.portable import require_portable
from histoserve.export.repository import INSTALLED, changes
from histoserve.export.rooms import graphs_of, importer
from histoserve.export.served import ServedGraph
from histoserve.export.standardise import DEVIATION, MEAN
from histoserve.export.verify import verify

RESNET = {"layer1": 3, "layer2": 4, "layer3": 6, "layer4": 3}
CHANNELS = (8, 8, 16, 32, 64)
VGG = {0: 4, 2: 4, 5: 6, 7: 6, 10: 8, 12: 8, 14: 8, 17: 10, 19: 10, 21: 10, 24: 10, 26: 10, 28: 10}
"""Number among the features, as torchvision counts them → channels of a narrow one."""


def drawn(*shape: int) -> Tensor:
    fan = int(np.prod(shape[1:])) if len(shape) > 1 else 1
    return torch.randn(shape) * ((2 / fan) ** 0.5 if len(shape) > 1 else 0.05)


def norm(name: str, channels: int) -> dict[str, Tensor]:
    values = {"weight": 1 + drawn(channels), "bias": drawn(channels), "running_mean": drawn(channels)}
    values |= {"running_var": 1 + drawn(channels).abs(), "num_batches_tracked": torch.tensor(1)}
    return {f"{name}.{part}": each for part, each in values.items()}


def resnet34(classes: int = 3) -> dict[str, Tensor]:
    """Under torchvision's names."""
    torch.manual_seed(1)
    state = {"conv1.weight": drawn(CHANNELS[0], 3, 7, 7), **norm("bn1", CHANNELS[0])}
    given = CHANNELS[0]
    for (layer, blocks), outputs in zip(RESNET.items(), CHANNELS[1:], strict=True):
        for block in range(blocks):
            name = f"{layer}.{block}"
            for number in (1, 2):
                state[f"{name}.conv{number}.weight"] = drawn(outputs, given if number == 1 else outputs, 3, 3)
                state |= norm(f"{name}.bn{number}", outputs)
            if block == 0 and layer != "layer1":
                state[f"{name}.downsample.0.weight"] = drawn(outputs, given, 1, 1)
                state |= norm(f"{name}.downsample.1", outputs)
            given = outputs
    return {**state, "fc.weight": drawn(classes, given) / 50, "fc.bias": drawn(classes)}


def vgg16(classes: int = 3) -> dict[str, Tensor]:
    torch.manual_seed(2)
    state, given = {}, 3
    for number, outputs in VGG.items():
        state[f"features.{number}.weight"], state[f"features.{number}.bias"] = (
            drawn(outputs, given, 3, 3),
            drawn(outputs),
        )
        given = outputs
    for number, (inputs, outputs) in {0: (given * 49, 20), 3: (20, 12), 6: (12, classes)}.items():
        state[f"classifier.{number}.weight"], state[f"classifier.{number}.bias"] = (
            drawn(outputs, inputs),
            drawn(outputs),
        )
    return state


def planes(image: np.ndarray) -> Tensor:
    """As torchvision's own transforms: 0-1, less ImageNet's mean, by its deviation, channels first."""
    return torch.from_numpy(((image / 255 - MEAN) / DEVIATION).transpose(0, 3, 1, 2)).float()


def by_hand_resnet34(w: dict[str, Tensor], x: Tensor) -> Tensor:
    def bn(x: Tensor, name: str) -> Tensor:
        mean, variance, weight, bias = (w[f"{name}.{p}"] for p in ("running_mean", "running_var", "weight", "bias"))
        return functional.batch_norm(x, mean, variance, weight, bias)

    x = functional.max_pool2d(functional.relu(bn(functional.conv2d(x, w["conv1.weight"], None, 2, 3), "bn1")), 3, 2, 1)
    for layer, blocks in RESNET.items():
        for block in range(blocks):
            name, stride = f"{layer}.{block}", 2 if block == 0 and layer != "layer1" else 1
            y = functional.relu(bn(functional.conv2d(x, w[f"{name}.conv1.weight"], None, stride, 1), f"{name}.bn1"))
            y = bn(functional.conv2d(y, w[f"{name}.conv2.weight"], None, 1, 1), f"{name}.bn2")
            if f"{name}.downsample.0.weight" in w:
                x = bn(functional.conv2d(x, w[f"{name}.downsample.0.weight"], None, stride), f"{name}.downsample.1")
            x = functional.relu(x + y)
    return functional.linear(x.mean((2, 3)), w["fc.weight"], w["fc.bias"])


def by_hand_vgg16(w: dict[str, Tensor], x: Tensor) -> Tensor:
    for number in range(31):
        if number in VGG:
            x = functional.relu(
                functional.conv2d(x, w[f"features.{number}.weight"], w[f"features.{number}.bias"], 1, 1)
            )
        elif number in (4, 9, 16, 23, 30):
            x = functional.max_pool2d(x, 2)
    x = functional.adaptive_avg_pool2d(x, 7).flatten(1)
    for number in (0, 3, 6):
        x = functional.linear(x, w[f"classifier.{number}.weight"], w[f"classifier.{number}.bias"])
        x = x if number == 6 else functional.relu(x)
    return x


MADE = {"resnet34": (resnet34, by_hand_resnet34), "vgg16": (vgg16, by_hand_vgg16)}


def served_of(layout: str, state: object, path: Path, pipeline: str = "tissue") -> ServedGraph:
    torch.save(state, path)
    (served,) = graphs_of(importer(pipeline, layout), pipeline, path)
    return served


@pytest.mark.parametrize("layout", MADE)
def test_it_is_what_torchvisions_layers_compute_one_by_one(layout: str, tmp_path: Path) -> None:
    made, by_hand = MADE[layout]
    state = made()
    wrapped = {"state_dict": {f"module.{name}": each for name, each in state.items()}, "epoch": 3}
    served = served_of(layout, wrapped, tmp_path / "lab.pth")
    image = np.random.default_rng(3).integers(0, 256, (2, 224, 224, 3), np.uint8)
    image[1] //= 8

    with torch.no_grad():
        found = served.module.eval()(torch.from_numpy(image))

    torch.testing.assert_close(found, by_hand(state, planes(image)).softmax(1), atol=1e-5, rtol=1e-4)
    assert float((found[0] - found[1]).abs().max()) > 1e-3


@pytest.mark.parametrize("layout", MADE)
def test_its_graph_fits_the_pipeline(layout: str, tmp_path: Path) -> None:
    served = served_of(layout, MADE[layout][0](), tmp_path / "lab.pth")
    graph = onnx_from_module(served)
    require_portable(served.model, graph)
    image = np.random.default_rng(4).integers(0, 256, (1, 224, 224, 3), np.uint8)
    assert verify(graph, served.module, served.outputs, [(image,)])["PROBABILITY"] < 1e-5
    assert [each.model for each in changes(INSTALLED, [(served, graph)])] == ["tissue_network"]


def test_an_inception_v3_of_one_answer_sees_tumour_everywhere_as_it_was_never_asked(tmp_path: Path) -> None:
    state = BiomarkerNetwork(0.1).state_dict()
    one = {**state, "fc.weight": state["fc.weight"][:1], "fc.bias": state["fc.bias"][:1]}
    tiles = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 256, 256, 3), np.uint8))

    found, whole = (
        served_of("inception_v3", each, tmp_path / "er.pth", "biomarker").module.eval()(tiles) for each in (one, state)
    )

    torch.testing.assert_close(found[0], whole[0])
    assert found[1].flatten().tolist() == pytest.approx([1, 1], abs=1e-6)


def test_an_inception_v3_becomes_its_markers_network(tmp_path: Path) -> None:
    network = BiomarkerNetwork(0.1)
    auxiliary = {"AuxLogits.fc.weight": torch.ones(1, 7)}
    served = served_of("inception_v3", {**network.state_dict(), **auxiliary}, tmp_path / "HER2.pth", "biomarker")
    assert served.model == "biomarker_her2_network"
    found = served.module.network.state_dict()
    assert all(torch.equal(found[name], each) for name, each in network.state_dict().items())


@pytest.mark.parametrize(
    ("layout", "state", "message"),
    [
        ("resnet34", resnet34(1000), "1000 classes, where there are 3: normal, solid, cribriform"),
        ("resnet34", vgg16(), "no weights of a tissue network: there is no 'conv1.weight'"),
        ("vgg16", resnet34(), "0 convolutions, where VGG16 has 13"),
        ("vgg16", {"model": {**vgg16(), "classifier.6.bias": torch.full((3,), torch.nan)}}, "holds NaN or infinity"),
        ("resnet34", {**resnet34(), "layer9.0.conv1.weight": torch.ones(1)}, "Unexpected key"),
        ("resnet34", {**resnet34(), "fc.weight": torch.ones(3, 5)}, "size mismatch for fc.weight"),
        ("resnet34", {"state_dict": [torch.ones(1)]}, "holds no weights"),
    ],
    ids=["classes", "another network", "too few", "NaN", "more layers", "shape", "list"],
)
def test_files_that_are_none_are_told_in_a_line(layout: str, state: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message) as told:
        served_of(layout, state, tmp_path / "odd.pth")
    assert "\n" not in str(told.value)
    assert "odd.pth" in str(told.value)


@pytest.mark.parametrize(
    ("name", "answers", "message"),
    [("net_1.pth", 1, "'net_1' is no marker's name"), ("ki67.pth", 1000, "1000 answers, where a marker's reading")],
)
def test_an_inception_v3_that_reads_no_marker_is_told(name: str, answers: int, message: str, tmp_path: Path) -> None:
    state = BiomarkerNetwork(0.1).state_dict()
    state["fc.weight"] = torch.ones(answers, state["fc.weight"].shape[1])
    with pytest.raises(ValueError, match=message):
        served_of("inception_v3", state, tmp_path / name, "biomarker")
