"""The biomarker network is InceptionV3 under torchvision's names; its graph reads four quarters of a tile."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from biomarker_repository import MARKERS, TILE_PX, mean_colour, put_network, stages
from torch import Tensor, nn

from histoserve.client.travel.encode import Encoding, encode
from histoserve.client.wire import Server
from histoserve.deploy.local.triton import LocalTriton
from histoserve.export.biomarker.network import (
    BiomarkerNetwork,
    BiomarkerTiles,
    by_marker,
    network_from_weights,
    quarters,
    served,
    standardised,
    together,
)
from histoserve.export.biomarker.weights import network_from_file
from histoserve.export.config import GraphDoesNotFit
from histoserve.export.graph import onnx_from_module
from histoserve.export.portable import require_portable
from histoserve.export.repository import write_networks
from histoserve.export.served import ServedGraph
from histoserve.export.verify import verify, verify_rows

PUBLISHED = 23_834_568
"""Parameters of InceptionV3 with its last layer of 1000 classes, without the auxiliary classifier."""
SHAPES = {
    "Conv2d_1a_3x3.conv.weight": (32, 3, 3, 3),
    "Conv2d_4a_3x3.bn.running_var": (192,),
    "Mixed_5b.branch5x5_2.conv.weight": (64, 48, 5, 5),
    "Mixed_5d.branch_pool.conv.weight": (64, 288, 1, 1),
    "Mixed_6a.branch3x3.conv.weight": (384, 288, 3, 3),
    "Mixed_6c.branch7x7_2.conv.weight": (160, 160, 1, 7),
    "Mixed_6e.branch7x7dbl_2.conv.weight": (192, 192, 7, 1),
    "Mixed_7a.branch7x7x3_4.conv.weight": (192, 192, 3, 3),
    "Mixed_7b.branch3x3_2a.conv.weight": (384, 384, 1, 3),
    "Mixed_7c.branch3x3dbl_3b.conv.weight": (384, 384, 3, 1),
    "Mixed_7c.branch1x1.conv.weight": (320, 2048, 1, 1),
}
"""As in torchvision's file."""
WIDTH = 0.0625
PICTURES = 3
"""An odd number, for kernels that take rows in pairs."""


@cache
def network(width: float = WIDTH, side: int = 256) -> BiomarkerNetwork:
    """Untrained, but normalised for pictures of this side, of which its answers differ by as much as they can.

    Else it reads 0 or 1 of any, and every graph would agree with it.
    """
    torch.manual_seed(0)
    made = BiomarkerNetwork(width)
    for layer in made.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0
    # The quarters of noise are all alike.
    crops = standardised(quarters(pictures(side))[::4])
    with torch.no_grad():
        made(crops)
        logits = made.eval()(crops)
        made.fc.weight /= logits.std(0)[:, None]
        made.fc.bias.copy_((made.fc.bias - logits.mean(0)) / logits.std(0))
    return made


def pictures(side: int) -> Tensor:
    """Noise, each of another colour and brightness: of noise alone all have one reading."""
    random = np.random.default_rng(1)
    noise = random.integers(0, 256, (PICTURES, side, side, 3)) * random.uniform(0, 1, (PICTURES, 1, 1, 3))
    return torch.from_numpy(noise.astype(np.uint8))


def torchvisions() -> dict[str, Tensor]:
    """A file as torchvision's: with the auxiliary classifier, and a last layer of 1000 classes."""
    state = network(1.0).state_dict()
    other = {"AuxLogits.conv0.conv.weight": (128, 768, 1, 1), "fc.weight": (1000, 2048), "fc.bias": (1000,)}
    return {**state, **{name: torch.zeros(shape) for name, shape in other.items()}}


def test_it_has_the_parameters_of_the_published_network() -> None:
    made = network(1.0)
    found = {name: tuple(each.shape) for name, each in made.state_dict().items() if name in SHAPES}

    assert found == SHAPES
    count = sum(each.numel() for name, each in made.named_parameters() if not name.startswith("fc"))
    assert count == PUBLISHED - (2048 + 1) * 1000
    assert tuple(made.fc.weight.shape) == (2, 2048)


def test_a_narrow_one_is_small() -> None:
    assert sum(each.numel() for each in BiomarkerNetwork(0.2).state_dict().values()) * 4 <= 4 * 2**20


def test_quarters_are_in_reading_order() -> None:
    image = torch.arange(2 * 4 * 4 * 3).reshape(2, 4, 4, 3)

    found = quarters(image)

    assert found.shape == (8, 2, 2, 3)
    assert torch.equal(found[1], image[0, :2, 2:])
    assert torch.equal(found[6], image[1, 2:, :2])


def test_a_tile_reads_as_the_mean_of_its_quarters() -> None:
    image = pictures(256)
    with torch.inference_mode():
        found, tumour = BiomarkerTiles(network())(image)
        each = [network()(standardised(part)).sigmoid() for part in quarters(image).split(4)]

    torch.testing.assert_close(torch.cat([found, tumour], 1), torch.stack([part.mean(0) for part in each]))
    assert (found.shape, tumour.shape) == ((PICTURES, 1), (PICTURES, 1))
    assert (found > 0).all() and (found < 1).all()  # noqa: PT018
    assert abs(float(found[0] - found[1])) > 0.01


def test_bytes_become_minus_1_to_1_as_the_imagenet_weights_take_them() -> None:
    image = torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(1, 1, 1, 3)
    assert standardised(image).flatten().tolist() == pytest.approx([-1, -0.6, 1])


@pytest.mark.parametrize("width", [0.003, 0.0625, 0.123, 0.2])
def test_weights_say_which_width_they_have(width: float) -> None:
    made = BiomarkerNetwork(width)
    halved = {name: each.half().to(each.dtype) for name, each in made.state_dict().items()}

    again = network_from_weights(halved)

    assert [each.shape for each in again.parameters()] == [each.shape for each in made.parameters()]


def test_a_file_holds_markers_side_by_side() -> None:
    one, other = BiomarkerNetwork(WIDTH).state_dict(), BiomarkerNetwork(0.01).state_dict()

    graphs = served(together({"er": one, "pd-l1": other}))

    assert [each.model for each in graphs] == ["biomarker_er_network", "biomarker_pd-l1_network"]
    assert by_marker(together({"er": one})) == {"er": one}
    with pytest.raises(ValueError, match=r"Conv2d_1a_3x3\.conv\.weight belongs to no marker"):
        served(one)


def test_torchvisions_file_is_started_from_without_its_classifiers(tmp_path: Path) -> None:
    given = torchvisions()
    torch.save({name: each for name, each in given.items() if "num_batches" not in name}, tmp_path / "inception.pth")

    started, told = network_from_file(tmp_path / "inception.pth", "er")

    found = started.state_dict()
    assert all(torch.equal(found[name], given[name]) for name in SHAPES)
    assert tuple(found["fc.weight"].shape) == (2, 2048)
    assert told == "inception.pth, InceptionV3's under torchvision's names"


def test_weights_of_a_marker_are_started_from(tmp_path: Path) -> None:
    file = tmp_path / "own.pt"
    torch.save(together({"er": network().state_dict()}), file)

    started, told = network_from_file(file, "ki67")

    assert torch.equal(started.fc.weight, network().fc.weight)
    assert told == "own.pt, our own of er"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: state.pop("Mixed_6c.branch1x1.conv.weight"), "under torchvision's names: Missing key"),
        (lambda state: state.update({"Mixed_6c.branch1x1.bn.bias": torch.zeros(3)}), "size mismatch for Mixed_6c"),
        (lambda state: [state.pop(name) for name in list(state) if "Mixed" in name], "Conv2d_1a_3x3.conv.weight bel"),
        (lambda state: state.update({"Mixed_5b.branch1x1.bn.bias": torch.full((64,), torch.nan)}), "holds NaN"),
    ],
)
def test_files_of_other_networks_are_told_in_a_sentence(tmp_path: Path, change, words: str) -> None:  # type: ignore[no-untyped-def]
    state = torchvisions()
    change(state)
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(ValueError, match=words) as told:
        network_from_file(tmp_path / "other.pth", "er")
    assert "\n" not in str(told.value)


def test_of_two_other_markers_it_is_not_clear_which_to_start_from(tmp_path: Path) -> None:
    state = BiomarkerNetwork(0.01).state_dict()
    torch.save(together({"er": state, "pr": state}), tmp_path / "two.pt")

    with pytest.raises(ValueError, match="holds er, pr and no ki67"):
        network_from_file(tmp_path / "two.pt", "ki67")
    with pytest.raises(ValueError, match=r"no weights at .*none\.pt"):
        network_from_file(tmp_path / "none.pt", "ki67")


def graph_of(width: float, side: int) -> tuple[ServedGraph, onnx.ModelProto]:
    """Of tiles of this side, by PyTorch's exporter, which takes half a minute for so many layers."""
    (graph,) = served(together({"er": network(width, side).state_dict()}))
    smaller = replace(graph, example=(torch.zeros(2, side, side, 3, dtype=torch.uint8),))
    return smaller, onnx_from_module(smaller)


@pytest.mark.slow
def test_its_graph_computes_what_pytorch_does_and_each_row_as_alone() -> None:
    graph, made = graph_of(WIDTH, 256)
    images = pictures(256)

    verify(made, graph.module, graph.outputs, [(images.numpy(),)])
    verify_rows(made, graph.outputs, (images.numpy(),))
    require_portable(graph.model, made)
    with torch.inference_mode():
        assert all(np.ptp(each.numpy()) > 0.05 for each in graph.module(images))


@pytest.mark.slow
def test_the_published_size_exports_passes_parity_and_is_served_beside_small_ones(tmp_path: Path) -> None:
    graph, made = graph_of(1.0, TILE_PX)
    tile = pictures(TILE_PX)[:1]
    with torch.inference_mode():
        wanted, tumour = (float(each) for each in graph.module(tile))
    verify(made, graph.module, graph.outputs, [(tile.numpy(),)])
    repository = stages(tmp_path / "repository")
    for number, marker in enumerate(MARKERS):
        put_network(repository, marker, mean_colour((1, 0, 0), number))
    write_networks(repository, [(graph, made)])

    with LocalTriton(repository, state=tmp_path / "state") as triton:
        server = Server(triton.grpc)
        region = np.array([[0, 0, TILE_PX, TILE_PX]], np.float32)
        given = {"TILE": [encode(tile[0].numpy(), Encoding())], "REGION": region, "WINDOW": region}
        answer = server.infer("biomarker_tiles", {**given, "MPP": np.array([0.3], np.float32)}, 300.0)
        server.close()

    assert 0.01 < wanted < 0.99
    assert answer["READING"][0, MARKERS.index("ER")] == pytest.approx(wanted, abs=1e-3)
    # Each network tells of tumour, and the row has the mean: three see it in what is not green.
    green = float(tile[..., 1].float().mean()) / 255
    assert answer["TUMOUR"][0, 0] == pytest.approx((tumour + 3 * (1 - green)) / 4, abs=2e-3)
    assert answer["READING"][0, 0] == pytest.approx(float(tile[..., 0].float().mean()) / 255, abs=2e-3)


def test_an_export_of_one_marker_into_a_repository_without_the_others_is_told(tmp_path: Path) -> None:
    (graph,) = served(together({"er": BiomarkerNetwork(WIDTH).state_dict()}))
    other = onnx.ModelProto.FromString(mean_colour((1, 0, 0), 1))

    with pytest.raises(GraphDoesNotFit, match=r"has a step biomarker_\w+_network, but the repository holds"):
        write_networks(stages(tmp_path / "repository"), [(graph, other)])
