"""The tissue network is the document's: 33 convolutions, four taps, two layers."""

import pytest
import torch
from torch import nn

from histoserve.export.tissue.network import (
    CONVOLUTIONS,
    TAPS,
    TissueNetwork,
    TissueTiles,
    network_from_weights,
)


def test_there_are_33_convolutions_of_3_by_3() -> None:
    found = [
        each for each in TissueNetwork(0.125).modules() if isinstance(each, nn.Conv2d) and each.kernel_size == (3, 3)
    ]

    assert len(found) == CONVOLUTIONS == max(TAPS)


@pytest.mark.parametrize(("taps", "features"), [(TAPS, 64 + 128 + 256 + 512), ((33,), 512), ((1,), 64)])
def test_the_classifier_sees_what_the_taps_average(taps: tuple[int, ...], features: int) -> None:
    assert TissueNetwork(taps=taps).hidden.in_features == features


def test_a_tap_is_the_output_of_its_convolution() -> None:
    network = TissueNetwork(0.125).eval()
    seen: dict[int, torch.Tensor] = {}
    for tap in TAPS:
        network.convolutions[tap - 1].register_forward_hook(lambda _, __, out, tap=tap: seen.update({tap: out}))
    network.hidden.register_forward_hook(lambda _, given, __: seen.update({0: given[0]}))

    network(torch.randn(2, 3, 64, 64))

    torch.testing.assert_close(seen[0], torch.cat([seen[tap].mean((2, 3)) for tap in TAPS], 1))


@pytest.mark.parametrize("taps", [(), (0,), (34,), (1, 99)])
def test_taps_that_there_are_not_are_refused(taps: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="convolutions 1 to 33"):
        TissueNetwork(0.125, taps)


@pytest.mark.parametrize("taps", [TAPS, (33,)])
def test_weights_say_which_network_they_are_of(taps: tuple[int, ...]) -> None:
    network = TissueNetwork(0.125, taps).eval()
    image = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)

    again = network_from_weights(network.state_dict()).eval()

    torch.testing.assert_close(TissueTiles(again)(image), TissueTiles(network)(image))
    torch.testing.assert_close(TissueTiles(network)(image).sum(1), torch.ones(2))
