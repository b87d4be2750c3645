"""How good the nuclei network is on tiles it never saw."""

import numpy as np
import torch
from torch import nn

from histoserve.export.training.tiles import LabelledTile, distances


def score_pixels(network: nn.Module, tiles: list[LabelledTile]) -> dict[str, float]:
    """Per pixel: Dice of nuclei, F1 of types averaged, mean squared error of the distances; their sum decides."""
    from histoserve.export.training.nuclei import standardised

    overlap, size, hit, total = 0, 0, np.zeros(5), np.zeros(5)
    error, count = 0.0, 0
    for tile in tiles:
        height, width = (extent // 32 * 32 for extent in tile.instances.shape)
        instances = tile.instances[:height, :width]
        with torch.no_grad():
            ns, ni, nc = network(standardised(tile.image[None, :height, :width]))
        found, truth = (ns[0, 1] > ns[0, 0]).numpy(), instances > 0
        overlap, size = overlap + int((found & truth).sum()), size + int(found.sum() + truth.sum())
        kind, true_kind = nc[0, 1:].argmax(0).numpy() + 1, tile.type_of[instances]
        for number in range(1, 5):
            hit[number] += ((kind == number) & (true_kind == number) & truth).sum()
            total[number] += ((kind == number) & truth).sum() + (true_kind == number).sum()
        error += float(((ni[0].numpy() - distances(instances))[:, truth] ** 2).sum())
        count += 2 * int(truth.sum())
    f1 = float((2 * hit[1:] / np.maximum(total[1:], 1)).mean())
    figures = {"dice": 2 * overlap / size, "type_f1": f1, "distance_error": error / count}
    return {"sum": figures["dice"] + f1 - figures["distance_error"]} | figures
