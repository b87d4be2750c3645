"""What `histoserve export nuclei --from hovernet FILE` serves of a checkpoint of HoVer-Net, in the layout of its code.

    IMAGE 400 × 400 ─▶ mirrored at its border, 590 × 590 ─▶ HoVer-Net ─▶ heads 400 × 400 ─▶ MAPS

Its heads are smaller than what it sees. As in its own inference a picture's border is mirrored, or no nucleus would be
found near the border of a slide; within a slide `margin_px`, that border and room for a nucleus, leaves mirrors out.
"""

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from histoserve.export.nuclei.hovernet import MODES, HoverNet
from histoserve.export.nuclei.network import NucleiMaps, NucleiNetwork
from histoserve.export.served import ServedGraph

NAMES = {
    5: ("other", "inflammatory", "epithelial", "spindle"),
    6: ("neoplastic", "inflammatory", "connective", "dead", "epithelial"),
}
"""Outputs of `tp`, with background → names of the others: CoNSeP's, joined as its authors do, and PanNuke's."""
TILE_PX = {"original": 400, "fast": 388}
"""Sides that, mirrored, are halved three times without a rest. The published ones spend more on borders."""
MPP = 0.25
WHOLE_PX = 32
"""A nucleus up to this size, whose centre lies in the core, is whole in the maps."""


class Windowed(nn.Module):
    """HoVer-Net's heads in the size of its input."""

    def __init__(self, network: HoverNet):
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """RGB 0-255 float32 (N, 3, H, W) → nucleus logits (N, 2, H, W), distances (N, 2, H, W), type logits."""
        lost = self.network.mode.lost_px
        border = (lost // 2, lost - lost // 2) * 2
        heads = self.network(functional.pad(image, border, mode="reflect"))
        ns, ni = heads["np"], heads["hv"]
        return ns, ni, heads["tp"] if "tp" in heads else torch.zeros_like(ns)


class Planes(nn.Module):
    """RGB uint8 (N, H, W, 3) → float32 (N, 3, H, W), 0-255."""

    def forward(self, image: Tensor) -> Tensor:
        return image.float().permute(0, 3, 1, 2)


class HoverNetMaps(NucleiMaps):
    """The served graph: as `NucleiMaps`, of another network."""

    def __init__(self, network: HoverNet):
        super().__init__(cast(NucleiNetwork, Windowed(network)))
        self.standardise = Planes()  # type: ignore[assignment]


def weights_in(loaded: Any) -> Any:
    """What was read of the file → its parameters by name, which stand under `desc`; of several GPUs with a prefix."""
    state = loaded.get("desc", loaded) if isinstance(loaded, Mapping) else loaded
    if not isinstance(state, Mapping):
        return state
    return {str(name).removeprefix("module."): each for name, each in state.items()}


def network_from_weights(weights: Mapping[str, Tensor]) -> HoverNet:
    """The network that fits `weights`: its mode is read off the decoder's kernel, its types off the last layer."""
    kernel = weights["decoder.np.u3.conva.weight"].shape[-1]
    mode = next((each for each in MODES.values() if each.kernel == kernel), None)
    if mode is None:
        raise ValueError(f"decoders of {kernel} × {kernel}, where HoVer-Net has 5 × 5 or, in its fast mode, 3 × 3")
    last = weights.get("decoder.tp.u0.conv.weight")
    if last is not None and last.shape[0] < 2:
        raise ValueError("a type branch that tells background alone")
    network = HoverNet(mode, 0 if last is None else last.shape[0])
    network.load_state_dict(dict(weights))
    return network


def names_of(types: int) -> tuple[str, ...]:
    """Of types 1 and on."""
    return NAMES.get(types) or tuple(f"type {number}" for number in range(1, types)) or ("nucleus",)


def served(weights: dict[str, Tensor]) -> list[ServedGraph]:
    """As of the pipeline's own network, but of another window and margin: the pipeline's configs must say so too."""
    network = network_from_weights(weights)
    name = next(name for name, mode in MODES.items() if mode is network.mode)
    side, margin = TILE_PX[name], network.mode.lost_px // 2 + WHOLE_PX
    return [
        ServedGraph(
            model="nuclei_network",
            module=HoverNetMaps(network),
            example=(torch.zeros(2, side, side, 3, dtype=torch.uint8),),
            inputs=("IMAGE",),
            outputs=("MAPS",),
            dynamic={"IMAGE": {0: "N"}},
            parameters={"mpp": str(MPP), "types": ",".join(names_of(network.types)), "margin_px": str(margin)},
            sizes={"tile_px": {"IMAGE": -2}, "margin_px": {}},
            stamped=True,
        )
    ]
