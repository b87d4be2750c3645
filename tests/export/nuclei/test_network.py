import numpy as np
import torch
from torch import nn

from histoserve.export.nuclei.attention import STRONGEST, CrissCrossAttention
from histoserve.export.nuclei.network import NucleiNetwork, gradient_kernels
from histoserve.export.resnet import ResNet34Encoder


def criss_cross() -> CrissCrossAttention:
    torch.manual_seed(0)
    # In float64, because what is gathered is added with a small weight.
    attention = CrissCrossAttention(8, reduction=2).double().eval()
    nn.init.ones_(attention.gamma)
    return attention


def reached(module: nn.Module) -> torch.Tensor:
    """Which of 5×7 pixels change when the one in row 1, column 2 does."""
    before = torch.randn(1, 8, 5, 7, dtype=torch.float64)
    after = before.clone()
    after[:, :, 1, 2] += 1
    return ((module(after) - module(before)).abs() > 1e-12).any(1)[0]


def test_one_pass_reaches_the_row_and_the_column() -> None:
    cross = torch.zeros(5, 7, dtype=torch.bool)
    cross[1], cross[:, 2] = True, True
    assert torch.equal(reached(criss_cross()), cross)


def test_two_passes_reach_every_pixel() -> None:
    assert reached(nn.Sequential(criss_cross(), criss_cross())).all()


def test_a_pixel_counts_once_among_its_row_and_column() -> None:
    attention = criss_cross()
    for layer in (attention.query, attention.key):
        nn.init.zeros_(layer.weight), nn.init.zeros_(layer.bias)
    x = torch.randn(1, 8, 5, 7, dtype=torch.float64)
    value = attention.value(x)
    cross = value[0, :, 1].sum(1) + value[0, :, :, 2].sum(1) - value[0, :, 1, 2]
    weight = STRONGEST * np.tanh(1)
    assert torch.allclose((attention(x) - x)[0, :, 1, 2] / weight, cross / (5 + 7 - 1))


def test_the_encoder_takes_torchvisions_resnet34() -> None:
    # Parameters of torchvision's resnet34 without `fc`: 21,797,672 with it, 513,000 of which are fc's.
    names = dict(ResNet34Encoder().named_parameters())
    assert sum(parameter.numel() for parameter in names.values()) == 21_797_672 - 513_000
    assert {"conv1.weight", "bn1.bias", "layer2.0.downsample.1.weight", "layer4.2.conv2.weight"} <= set(names)


def test_the_skips_are_at_1_to_an_eighth_and_the_attention_at_a_sixteenth() -> None:
    features = ResNet34Encoder(0.125).eval()(torch.zeros(1, 3, 64, 96))
    assert [tuple(map_.shape[2:]) for map_ in features] == [(64, 96), (32, 48), (16, 24), (8, 12), (4, 6)]


def test_each_branch_has_its_own_encoder_and_all_share_the_attention() -> None:
    torch.manual_seed(0)
    network = NucleiNetwork(0.125)
    ns, ni, nc = network.eval()(torch.randn(2, 3, 32, 64))
    assert (ns.shape, ni.shape, nc.shape) == ((2, 2, 32, 64), (2, 2, 32, 64), (2, 5, 32, 64))
    nc.sum().backward()
    used = {name for name, weight in network.named_parameters() if weight.grad is not None and weight.grad.any()}
    assert {".".join(name.split(".")[:2]) for name in used} == {
        "encoders.nc",
        "decoders.nc",
        "attention.passes",
        "attention.fuse",
    }


def test_the_gradient_of_a_ramp_is_its_slope() -> None:
    ramp = torch.arange(9.0).expand(9, 9)
    both = torch.stack([ramp * 0.25, ramp.T * 0.5])[None]
    slope = nn.functional.conv2d(both, gradient_kernels(), groups=2)
    assert torch.allclose(slope[0, 0], torch.tensor(0.25))
    assert torch.allclose(slope[0, 1], torch.tensor(0.5))
