"""Scores a network for stained cells by the nuclei that the served stage makes of its maps, without a server."""

import numpy as np

from histoserve.ensemble.nuclei.rules import Rules
from histoserve.export.ihc.crops import StainedTile, stained
from histoserve.export.nuclei import validation
from histoserve.export.nuclei.network import NucleiNetwork
from histoserve.export.nuclei.tiles import LabelledTile
from histoserve.export.nuclei.validation import rules_from_config
from histoserve.export.repository import INSTALLED

WATERSHED = INSTALLED / "ihc_watershed"
"""An epoch is as good as the nuclei that the served stage finds by it."""


def validation_tiles(consep: list[LabelledTile], phantoms: list[StainedTile]) -> list[LabelledTile]:
    """Phantoms, and CoNSeP's tiles each stained once, always the same."""
    made = [stained(tile, np.random.default_rng(number)) for number, tile in enumerate(consep)]
    return [LabelledTile("", each.image, each.instances, each.type_of) for each in [*made, *phantoms]]


def score_network(network: NucleiNetwork, tiles: list[LabelledTile], rules: Rules | None = None) -> dict[str, float]:
    """Quality × share of matched nuclei with the right type decides; beside it the figures of `nuclei`."""
    figures = validation.score_network(network, tiles, rules or rules_from_config(WATERSHED))
    return {"typed_pq": figures["pq"] * figures["typed"], **figures}
