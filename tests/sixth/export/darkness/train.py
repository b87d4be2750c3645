from pathlib import Path

import torch

from histoserve.export.darkness.network import Darkness
from histoserve.export.fit import fit
from histoserve.export.options import Epochs, Out


def train(out: Out, *, epochs: Epochs = 1) -> Path:
    images = torch.randint(0, 256, (4, 64, 64, 3), dtype=torch.uint8)
    dark = 1 - images.float().mean((1, 2, 3))[:, None] / 255
    return fit(
        Darkness(),
        batches=lambda epoch: [images],
        steps=1,
        loss=lambda network, batch: ((network(batch) - dark) ** 2).mean(),
        score=lambda network: {"near": -float(((network(images) - dark) ** 2).mean())},
        **{"epochs": epochs, "highest_rate": 1e-2, "out": out},
    )
