from pathlib import Path

import torch

from histoserve.export.darkness.network import Darkness
from histoserve.export.fit import Training, fit
from histoserve.export.options import Epochs, Out


def error(network: Darkness, images: torch.Tensor) -> torch.Tensor:
    return ((1 - network(images) - images.float().mean((1, 2, 3))[:, None] / 255) ** 2).mean()


def train(out: Out, *, epochs: Epochs = 1) -> Path:
    images = torch.randint(0, 256, (4, 64, 64, 3), dtype=torch.uint8)
    score = {"score": lambda network: {"near": -float(error(network, images))}}
    return fit(Training(Darkness(), lambda _: [images], 1, error, rate=1e-2, **score), epochs, out)
