"""The spread network is VGG16 under torchvision's names, with 13 classifiers and one of their answers."""

import pytest
import torch
from torch import nn

from histoserve.export.graph import onnx_from_module
from histoserve.export.samples import samples
from histoserve.export.spread.loss import losses
from histoserve.export.spread.network import (
    CHANNELS,
    LAYERS,
    Scale,
    SpreadNetwork,
    SpreadRegions,
    channels_of,
    network_from_weights,
    served,
)
from histoserve.export.verify import verify, verify_rows

TORCHVISION = {0: (64, 3), 2: (64, 64), 5: (128, 64), 7: (128, 128), 10: (256, 128), 12: (256, 256), 14: (256, 256)} | {
    17: (512, 256),
    **dict.fromkeys((19, 21, 24, 26, 28), (512, 512)),
}
"""Number in `features` of torchvision's `vgg16` → its filters and their channels."""
NARROW = channels_of(1 / 16)


def network(seed: int = 0) -> SpreadNetwork:
    torch.manual_seed(seed)
    return SpreadNetwork(NARROW).eval()


def noise(count: int, side: int = 64) -> torch.Tensor:
    return torch.randint(0, 256, (count, side, side, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def trained(net: SpreadNetwork) -> list[str]:
    return [name for name, tensor in net.named_parameters() if tensor.grad is not None and tensor.grad.any()]


def test_its_convolutions_have_the_names_and_shapes_of_torchvisions() -> None:
    found = {name: tuple(each.shape) for name, each in SpreadNetwork().state_dict().items() if "features" in name}

    filters = {f"features.{number}.weight": (*shape, 3, 3) for number, shape in TORCHVISION.items()}
    assert found == filters | {f"features.{number}.bias": shape[:1] for number, shape in TORCHVISION.items()}


def test_a_tap_is_what_follows_a_relu_averaged() -> None:
    seen: list[torch.Tensor] = []
    net = network()
    for layer in net.features:
        if isinstance(layer, nn.ReLU):
            layer.register_forward_hook(lambda _, __, out: seen.append(out.mean((2, 3))))

    taps = net.taps(torch.randn(2, 3, 64, 64))

    assert len(taps) == LAYERS
    assert [each.shape[1] for each in taps] == NARROW
    torch.testing.assert_close(taps, seen)


def test_every_classifier_has_512_hidden_units_and_two_answers() -> None:
    net = SpreadNetwork()

    shapes = [[tuple(each.weight.shape) for each in (net[1], net[3])] for net in (*net.classifiers, net.combine)]

    assert shapes == [[(512, inputs), (2, 512)] for inputs in (*CHANNELS, LAYERS)]


def test_activations_of_any_size_come_to_one_scale() -> None:
    scale = Scale(2)
    seen = torch.stack((torch.randn(400) * 3000 + 9000, torch.randn(400) * 0.1), 1)

    for part in seen.split(40):
        scale(part)
    found = scale.eval()(seen)

    torch.testing.assert_close(found.mean(0), torch.zeros(2), atol=0.1, rtol=0)
    torch.testing.assert_close(found.std(0), torch.ones(2), atol=0.1, rtol=0)
    assert scale(torch.full((1, 2), 1e9)).tolist() == [[8, 8]]
    assert all(each.half().isfinite().all() for each in scale.state_dict().values())


@pytest.mark.parametrize("count", [1, 4])
def test_a_layer_that_says_nothing_harms_no_training(count: int) -> None:
    network = SpreadNetwork(NARROW)
    torch.nn.init.constant_(network.features[2].bias, -100.0)

    losses(*network(torch.randn(count, 3, 32, 32)), torch.rand(count)).mean().backward()

    assert all(each.grad.isfinite().all() for each in network.parameters())


def test_the_last_classifier_trains_no_other_and_each_layer_its_own() -> None:
    net = network()
    each = losses(*net(torch.randn(2, 3, 64, 64)), torch.tensor([0.0, 1.0]))

    each[LAYERS].backward(retain_graph=True)
    assert {name.split(".")[0] for name in trained(net)} == {"combine"}

    net.zero_grad()
    each[4].backward()
    assert {name for name in trained(net) if "weight" in name} == {
        *(f"classifiers.4.{layer}.weight" for layer in (1, 3)),
        *(f"features.{convolution}.weight" for convolution in (0, 2, 5, 7, 10)),
    }


def test_normalisations_of_a_training_fold_into_vgg16s_own_layers() -> None:
    torch.manual_seed(0)
    net = SpreadNetwork(NARROW, normalised=True)
    for _ in range(3):
        net(3 * torch.randn(8, 3, 32, 32) + 1)
    for layer in net.features:
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 2)
            nn.init.uniform_(layer.bias, -1, 1)
    net.eval()
    state = {name: tensor.clone() for name, tensor in net.state_dict().items()}

    plain = net.folded()

    assert {name: tensor.shape for name, tensor in plain.state_dict().items()} == {
        name: tensor.shape for name, tensor in network().state_dict().items()
    }
    picture = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(plain(picture), net(picture), atol=1e-4, rtol=1e-4)
    assert all(torch.equal(tensor, state[name]) for name, tensor in net.state_dict().items())


def test_a_share_is_a_soft_label() -> None:
    logits = torch.tensor([[0.0, 2.0]])
    lesion = float(logits.softmax(1)[0, 1])

    found = losses(logits[:, None].expand(1, LAYERS, 2), -logits, torch.tensor([0.25]))

    by_hand = [-(0.75 * torch.tensor(1 - p).log() + 0.25 * torch.tensor(p).log()) for p in (lesion, 1 - lesion)]
    torch.testing.assert_close(found, torch.stack([*by_hand[:1] * LAYERS, by_hand[1]]))


def test_served_values_are_shares_of_each_region() -> None:
    value, by_layer = SpreadRegions(network())(noise(3))

    assert (value.shape, by_layer.shape) == ((3, 1), (3, LAYERS))
    assert min(value.min(), by_layer.min()) >= 0
    assert max(value.max(), by_layer.max()) <= 1


def test_weights_say_which_width_they_have() -> None:
    net = SpreadNetwork(channels_of(0.1))
    net.beyond += 0.25

    again = network_from_weights(net.state_dict())

    assert again.channels == net.channels
    torch.testing.assert_close(SpreadRegions(again.eval())(noise(1)), SpreadRegions(net.eval())(noise(1)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: [state.pop(name) for name in list(state) if "classifiers" in name], "without classifiers"),
        (lambda state: state.update({"combine.3.weight": torch.zeros(1, 512)}), "combine.3.weight"),
        (lambda state: state.update({"features.5.weight": torch.zeros(9, 4, 3, 3)}), "features.5.bias"),
    ],
)
def test_weights_of_another_network_are_refused(change, words: str) -> None:  # type: ignore[no-untyped-def]
    state = network().state_dict()
    change(state)

    with pytest.raises((ValueError, RuntimeError), match=words):
        network_from_weights(state)


def test_its_graph_computes_what_pytorch_does() -> None:
    torch.manual_seed(0)
    (graph,) = served(SpreadNetwork(NARROW).state_dict())

    onnx = onnx_from_module(graph)

    arrays = samples(graph)[:1]
    verify(onnx, graph.module, graph.outputs, arrays)
    verify_rows(onnx, graph.outputs, arrays[0])
