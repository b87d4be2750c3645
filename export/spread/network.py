"""The spread network: VGG16, each layer of which is asked for the share of lesion cells (CN113838558A).

conv 1 ─▶ conv 2 ─▶ pool ─▶ … ─▶ conv 13      ReLU after each; averaged over its pixels:
   ▼         ▼                      ▼         a tap
 512, 2    512, 2       …         512, 2      classifiers 1 to 13, softmax: LAYER_VALUE
   └─────────┴──────────┬───────────┘
                     512, 2                   classifier 14: VALUE

VGG16's three fully connected layers and its last pooling are left out: nothing is read from them ([0062-0063]).
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from histoserve.export.served import ServedGraph
from histoserve.export.standardise import Standardise

TILE_PX = 224
REGION_UM = 224.0
"""Side of the regions that training sees; at analysis a picture without a resolution has regions of any size."""

CHANNELS = (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
"""Of the 13 convolutions, at width 1.0."""
POOLED = (2, 4, 7, 10)
"""A max pooling follows the convolution of this number."""
LAYERS = len(CHANNELS)
HIDDEN, ANSWERS = 512, 2
"""Of each classifier: what it computes with, and "other cell" or "lesion cell" ([0069])."""
FOLLOWING, LEAST_DEVIATION, FARTHEST = 0.05, 1e-3, 8.0
"""Of a classifier's scale: the least part that a batch changes of it, the least deviation, and where it is cut."""


def channels_of(width: float) -> list[int]:
    """Of the 13 convolutions."""
    return [max(1, round(each * width)) for each in CHANNELS]


def features_of(channels: Sequence[int], normalised: bool = False) -> nn.Sequential:
    """Convolutions, each with its ReLU, and the poolings between them, numbered as in torchvision's VGG16.

    `normalised`: with a batch normalisation after each convolution, as in its VGG16-BN.
    """
    layers: list[nn.Module] = []
    for number, (inputs, outputs) in enumerate(zip((3, *channels[:-1]), channels, strict=True), start=1):
        layers.append(nn.Conv2d(inputs, outputs, 3, 1, 1))
        if normalised:
            layers.append(nn.BatchNorm2d(outputs))
        layers.append(nn.ReLU())
        if number in POOLED:
            layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


CONVOLUTIONS = tuple(number for number, layer in enumerate(features_of([1] * LAYERS)) if isinstance(layer, nn.Conv2d))
"""Their numbers among the features: 0, 2, 5, …, 28."""


class Scale(nn.Module):
    """Each input with mean 0 and deviation 1 over the regions of training, in a batch or, later, of all of them.

    Activations of a network from Caffe reach 1,500, those of a new one do not reach 1. Batch normalisation would
    keep variances, which are then beyond float16.
    """

    mean: Tensor
    deviation: Tensor
    batches: Tensor

    def __init__(self, inputs: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("deviation", torch.ones(inputs))
        self.register_buffer("batches", torch.tensor(0))

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs) → the same, cut at ±`FARTHEST`: other stains shall not end far from all that was seen."""
        mean, deviation = self.mean, self.deviation
        if self.training:
            mean, deviation = x.mean(0), x.std(0, correction=0)
            self.batches += 1
            part = max(FOLLOWING, 1 / int(self.batches))
            self.mean.lerp_(mean.detach(), part)
            self.deviation.lerp_(deviation.detach(), part)
        return ((x - mean) / (deviation + LEAST_DEVIATION)).clamp(-FARTHEST, FARTHEST)


def classifier_of(inputs: int) -> nn.Sequential:
    """One of the fourteen."""
    return nn.Sequential(Scale(inputs), nn.Linear(inputs, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, ANSWERS))


class SpreadNetwork(nn.Module):
    """Regions → what each layer says of them, and what all say together."""

    beyond: Tensor

    def __init__(self, channels: Sequence[int] = CHANNELS, normalised: bool = False):
        """`normalised` as `features_of`: thirteen layers learn from nothing sooner so; `folded` takes it out again."""
        super().__init__()
        self.features = features_of(channels, normalised)
        self.classifiers = nn.ModuleList([classifier_of(each) for each in channels])
        self.combine = classifier_of(LAYERS)
        # Standardised colour of what the first convolution sees beyond the border: a network from elsewhere
        # subtracted another mean, and its 0 was another colour.
        self.register_buffer("beyond", torch.zeros(3, 1, 1))
        for layer in self.features:
            if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(layer.bias)

    @property
    def channels(self) -> list[int]:
        """Of the 13 convolutions."""
        return [layer.out_channels for layer in self.features if isinstance(layer, nn.Conv2d)]

    def taps(self, x: Tensor) -> list[Tensor]:
        """Standardised RGB (N, 3, H, W) → the 13 activations, each averaged over its pixels: (N, channels)."""
        x, found = x - self.beyond, []
        for layer in self.features:
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                # Not `mean((2, 3))`: of a batch of one ONNX Runtime adds that up in another order.
                found.append(nn.functional.avg_pool2d(x, [x.shape[2], x.shape[3]]).flatten(1))
        return found

    def classify(self, taps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """What `taps` gave → logits of the 13 classifiers (N, 13, 2), and of the one that combines them (N, 2).

        The 14th trains none of the 13: each has a loss of its own ([0070]), and what it puts into the vector is its own
        layer's estimate ([0077-0080]). Trained through the 14th, they would become hidden units of it.
        """
        layers = torch.stack([classify(tap) for classify, tap in zip(self.classifiers, taps, strict=True)], 1)
        return layers, self.combine(layers.softmax(2)[:, :, 1].detach())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Standardised RGB (N, 3, H, W) → as `classify`."""
        return self.classify(self.taps(x))

    def folded(self) -> "SpreadNetwork":
        """The same without normalisations, each multiplied into its convolution: VGG16 as it was published."""
        plain = deepcopy(self).eval()
        plain.features = nn.Sequential(*_without_normalisations(plain.features))
        return plain


def _without_normalisations(features: nn.Sequential) -> Iterator[nn.Module]:
    layers = list(features)
    for layer, after in zip(layers, [*layers[1:], None], strict=True):
        if isinstance(layer, nn.Conv2d) and isinstance(after, nn.BatchNorm2d):
            yield fuse_conv_bn_eval(layer, after)
        elif not isinstance(layer, nn.BatchNorm2d):
            yield layer


class SpreadRegions(nn.Module):
    """The served graph: uint8 regions → shares of lesion cells."""

    def __init__(self, network: SpreadNetwork):
        super().__init__()
        self.standardise, self.network = Standardise(), network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """RGB uint8 (N, H, W, 3) → float32 (N, 1) and, by each layer alone, (N, 13)."""
        layers, value = self.network(self.standardise(image))
        return value.softmax(1)[:, 1:], layers.softmax(2)[:, :, 1]


def network_from_weights(weights: dict[str, Tensor]) -> SpreadNetwork:
    """The network that fits `weights`: its channels are read off them."""
    network = SpreadNetwork([weights[f"features.{number}.weight"].shape[0] for number in CONVOLUTIONS])
    if not any(name.startswith("classifiers.") for name in weights):
        raise ValueError("there are VGG16's convolutions without classifiers: train these by `histoserve train spread`")
    network.load_state_dict(weights)
    return network


def published() -> nn.Module:
    """Of the published width, untrained."""
    return SpreadNetwork()


def served(weights: dict[str, Tensor]) -> list[ServedGraph]:
    """What `histoserve export spread` puts into the model repository."""
    return [
        ServedGraph(
            model="spread_network",
            module=SpreadRegions(network_from_weights(weights)),
            example=(torch.zeros(2, TILE_PX, TILE_PX, 3, dtype=torch.uint8),),
            inputs=("IMAGE",),
            outputs=("VALUE", "LAYER_VALUE"),
            dynamic={"IMAGE": {0: "N"}},
            # No mpp: pictures of any scale.
            parameters={},
            max_batch_size=32,
            sizes={"tile_px": {"IMAGE": -2}},
            stamped=True,
        )
    ]
