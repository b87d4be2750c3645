"""How many nuclei get the right type, when each takes the type that most of its pixels have."""

from collections.abc import Sequence

import numpy as np
import torch

from histoserve.ensemble.ihc.cells import is_positive, is_tumour
from histoserve.export.ihc.evidence import Known
from histoserve.export.ihc.network import TYPES, TypeHead


def voted(head: TypeHead, tile: Known) -> np.ndarray:
    """The type of each nucleus of a tile, (instances + 1,); 0 for one without a pixel."""
    with torch.no_grad():
        found = head(torch.from_numpy(tile.evidence[None]).float())[0].argmax(0).numpy()
    inside = tile.instances > 0
    votes = np.zeros((len(tile.type_of), len(TYPES)), int)
    np.add.at(votes, (tile.instances[inside], found[inside]), 1)
    return np.where(votes.any(axis=1), 1 + votes.argmax(axis=1), 0).astype(np.uint8)


def score_head(head: TypeHead, tiles: Sequence[Known]) -> dict[str, float]:
    """Shares of the nuclei: with the right type, and rightly told positive from negative, and tumour from others."""
    found = np.concatenate([voted(head, tile) for tile in tiles])
    true = np.concatenate([tile.type_of for tile in tiles])
    seen = (found > 0) & (true > 0)
    found, true = found[seen], true[seen]
    return {
        "typed": float((found == true).mean()),
        "positive": float((is_positive(found) == is_positive(true)).mean()),
        "tumour": float((is_tumour(found) == is_tumour(true)).mean()),
    }
