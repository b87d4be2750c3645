"""Networks of torchvision's layout, under its parameter names, as classifiers of tiles: what a lab has trained itself.

Widths are read off the weights. Pictures come in as torchvision's own weights want them: RGB, standardised as ImageNet.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from histoserve.export.resnet import ResNet34Encoder
from histoserve.export.served import ServedGraph
from histoserve.export.standardise import Standardise

VGG16 = (64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool", 512, 512, 512, "pool", 512, 512, 512, "pool")
"""Channels of convolutions, and where it pools."""
LAST_PX = 7
"""Side of the map that VGG16's first product sees, of a tile of 224 px."""


class ResNet34(ResNet34Encoder):
    """As published, with a first convolution of stride 2 and a last product."""

    def __init__(self, width: float, classes: int):
        super().__init__(width)
        first, *_, last = self.channels_at(width)
        self.conv1 = nn.Conv2d(3, first, 7, 2, 3, bias=False)
        self.fc = nn.Linear(last, classes)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """Standardised RGB (N, 3, H, W) → logits (N, classes)."""
        last = super().forward(x)[-1]
        # Not `mean((2, 3))`: of a batch of one ONNX Runtime adds that up in another order.
        return self.fc(nn.functional.avg_pool2d(last, [last.shape[2], last.shape[3]]).flatten(1))


class Vgg16(nn.Module):
    """For tiles of 224 px: the pooling that torchvision puts before the products changes nothing there."""

    def __init__(self, channels: Sequence[int], hidden: Sequence[int], classes: int):
        super().__init__()
        given, left = 3, list(channels)
        layers: list[nn.Module] = []
        for each in VGG16:
            if each == "pool":
                layers.append(nn.MaxPool2d(2))
            else:
                layers += [nn.Conv2d(given, left[0], 3, 1, 1), nn.ReLU()]
                given = left.pop(0)
        self.features = nn.Sequential(*layers)
        first, second = hidden
        self.classifier = nn.Sequential(
            *(nn.Linear(given * LAST_PX**2, first), nn.ReLU(), nn.Dropout()),
            *(nn.Linear(first, second), nn.ReLU(), nn.Dropout(), nn.Linear(second, classes)),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Standardised RGB (N, 3, 224, 224) → logits (N, classes)."""
        return self.classifier(self.features(x).flatten(1))


class Classes(nn.Module):
    """The served graph: uint8 tiles → probabilities."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.standardise, self.network = Standardise(), network

    def forward(self, image: Tensor) -> Tensor:
        """RGB uint8 (N, H, W, 3) → float32 (N, classes), each row adds up to 1."""
        return self.network(self.standardise(image)).softmax(1)


def resnet34_from_weights(weights: Mapping[str, Tensor]) -> ResNet34:
    network = ResNet34(weights["conv1.weight"].shape[0] / 64, weights["fc.weight"].shape[0])
    network.load_state_dict(dict(weights))
    return network


def vgg16_from_weights(weights: Mapping[str, Tensor]) -> Vgg16:
    channels = [each.shape[0] for name, each in weights.items() if name.startswith("features.") and each.ndim == 4]
    if len(channels) != sum(each != "pool" for each in VGG16):
        raise ValueError(f"{len(channels)} convolutions, where VGG16 has 13")
    first, second, last = (weights[f"classifier.{number}.weight"].shape[0] for number in (0, 3, 6))
    network = Vgg16(channels, (first, second), last)
    network.load_state_dict(dict(weights))
    return network


def state_in(loaded: Any) -> Any:
    """What was read of the file → its parameters by name: alone, under `state_dict` or `model`; with no prefix."""
    state = loaded
    for key in ("state_dict", "model"):
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
    if not isinstance(state, Mapping):
        return state
    return {str(name).removeprefix("module."): each for name, each in state.items()}


def tile_classifier(
    model: str, network: nn.Module, classes: Sequence[str], tile_px: int, parameters: Mapping[str, str]
) -> ServedGraph:
    """ValueError for a network of other classes than the pipeline's, in their order."""
    *_, last = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    if last.out_features != len(classes):
        raise ValueError(f"{last.out_features} classes, where there are {len(classes)}: {', '.join(classes)}")
    return ServedGraph(
        model=model,
        module=Classes(network),
        example=(torch.zeros(2, tile_px, tile_px, 3, dtype=torch.uint8),),
        inputs=("IMAGE",),
        outputs=("PROBABILITY",),
        dynamic={"IMAGE": {0: "N"}},
        parameters={"classes": ",".join(classes), **parameters},
        max_batch_size=32,
        sizes={"classes": {"PROBABILITY": -1}, "tile_px": {"IMAGE": -2}},
        stamped=True,
    )
