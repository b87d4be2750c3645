"""Trains what tells the types of stained cells, on phantoms and on real nuclei stained by lot.

The network that outlines them is that of `nuclei`, as it is.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor
from torch.nn import functional
from typer import Option

from histoserve.export.fit import Training, fit
from histoserve.export.ihc.evidence import Known, kept, of_phantom, of_real
from histoserve.export.ihc.network import AMOUNTS, StainedNetwork, TypeHead
from histoserve.export.ihc.validation import score_head
from histoserve.export.nuclei.tiles import VALIDATION_TILES, consep_tiles
from histoserve.export.options import Data, Epochs, Out, Seed, Steps
from histoserve.export.weight_file import load, save_with_score, score_of, weights_from_file

EPOCHS, STEPS = 6, 50
BATCH, RATE = 4, 4e-3
CROP_PX = 64
"""At half the resolution: 32 µm."""
PHANTOMS, VALIDATED = 9, 3
"""Slides, two tiles of each; and how many more of them choose the epoch."""
STRENGTH = 0.15
"""Spread of the factor, as a logarithm, by which a crop's stains are stronger or weaker than its tile's."""
BALANCE = (1.0, 1.0, 0.5, 1.0)
"""Weights of the types in the loss: most cells are negative others, and a pale tumour must not be taken for them."""
NO_NUCLEUS = -100

Nuclei = Annotated[Path, Option(metavar="FILE", help="Weights of nuclei, which outline the cells.")]
Phantoms = Annotated[int, Option(min=1, help="Slides to draw, two tiles of each.")]

Batch = tuple[Tensor, Tensor]
"""Evidence (B, channels, h, w), and int64 (B, h, w): the type from 0 on, NO_NUCLEUS elsewhere."""


def crop(tile: Known, random: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """A part, turned by quarters and mirrored, stained a little otherwise."""
    y, x = (int(random.integers(0, length - CROP_PX + 1)) for length in tile.instances.shape)
    part = np.s_[..., y : y + CROP_PX, x : x + CROP_PX]
    evidence, types = tile.evidence[part].astype(np.float32), tile.type_of[tile.instances[part]].astype(np.int64)
    evidence[-AMOUNTS:] *= np.exp(random.normal(0, STRENGTH, AMOUNTS)).astype(np.float32)[:, None, None]
    turns, mirrored = int(random.integers(4)), bool(random.integers(2))
    types = np.where(types > 0, types - 1, NO_NUCLEUS)
    evidence, types = (np.rot90(each, turns, (-2, -1)) for each in (evidence, types))
    return (evidence[..., ::-1], types[..., ::-1]) if mirrored else (evidence, types)


def batches(tiles: list[Known], seed: int, steps: int, epoch: int) -> Iterator[Batch]:
    """The same for the same seed and epoch."""
    random = np.random.default_rng((seed, epoch))
    for _ in range(steps):
        crops = [crop(tiles[random.integers(len(tiles))], random) for _ in range(BATCH)]
        evidence, types = (np.stack(part) for part in zip(*crops, strict=True))
        yield torch.from_numpy(evidence), torch.from_numpy(types)


def loss(head: TypeHead, batch: Batch) -> Tensor:
    evidence, types = batch
    if not (types >= 0).any():
        return head(evidence).sum() * 0
    weights = torch.tensor(BALANCE)
    return functional.cross_entropy(head(evidence), types, weights, ignore_index=NO_NUCLEUS)


def outlining(weights: Path) -> tuple[StainedNetwork, dict[str, Tensor]]:
    """The network with the weights of `nuclei`, and these by their names in it; ValueError where they fit none."""
    given = weights_from_file(weights)
    try:
        network = StainedNetwork(given["encoders.ns.conv1.weight"].shape[0] / 64).eval()
        for part in ("weight", "bias"):
            del given[f"decoders.nc.head.{part}"]
        network.nuclei.load_state_dict(given)
    except (RuntimeError, LookupError) as error:
        raise ValueError(f"{weights} holds no weights of nuclei: {error}") from None
    return network, {f"nuclei.{name}": value for name, value in given.items()}


def train(
    data: Data,
    out: Out,
    *,
    nuclei: Nuclei = Path(__file__).parents[1] / "nuclei" / "weights.pt",
    phantoms: Phantoms = PHANTOMS,
    epochs: Epochs = EPOCHS,
    steps: Steps = None,
    seed: Seed = 0,
) -> Path:
    """Trains on phantoms and, if it is there, on `data/consep` stained by lot; returns the path of the whole weights.

    The tiles are kept in `out/tiles`, with what the large network says of them.
    """
    torch.manual_seed(seed)
    network, outlines = outlining(nuclei)
    makers = {f"phantom_{number}": partial(of_phantom, number) for number in range(phantoms + VALIDATED)}
    if (data / "consep").is_dir():
        makers |= {
            tile.name: partial(of_real, tile, number) for number, tile in enumerate(consep_tiles(data / "consep"))
        }
    chosen_by = {*VALIDATION_TILES, *(f"phantom_{phantoms + number}" for number in range(VALIDATED))}
    tiles = {
        name: kept(out / "tiles" / f"{name}.npz", network, make)
        for name, make in track(makers.items(), "looking at tiles", transient=True)
    }
    seen = [each for name, group in tiles.items() if name not in chosen_by for each in group]
    validation = [each for name, group in tiles.items() if name in chosen_by for each in group]
    count = steps or STEPS
    training = Training(
        network.head,
        batches=lambda epoch: batches(seen, seed, count, epoch),
        steps=count,
        loss=loss,
        score=lambda head: score_head(head, validation),
        rate=RATE,
        made_of={"seed": seed, "tiles": len(seen), "phantoms": phantoms},
    )
    best = fit(training, epochs, out)
    whole = out / "whole.pt"
    head = {f"head.{name}": value for name, value in load(best).items()}
    save_with_score({**outlines, **head}, whole, score_of(best) or {})
    return whole
