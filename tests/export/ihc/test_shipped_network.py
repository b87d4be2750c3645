"""The shipped network and its stages as they are served: hardly a reading without tumour, with it the right one."""

import json
from functools import cache
from typing import Any

import numpy as np
import torch
from google.protobuf.json_format import MessageToDict

from histoserve.ensemble.ihc.slide import read
from histoserve.ensemble.nuclei.watershed import watershed
from histoserve.ensemble.parameters import Stage, parameters_from_config
from histoserve.export.config import read_config
from histoserve.export.ihc.network import MPP, StainedMaps, network_from_weights
from histoserve.export.repository import INSTALLED
from histoserve.export.weight_file import weights_from_file
from histoserve.phantom.ihc.tiles import IhcTile, Place, ihc_tiles

SIDE = 512
UNSEEN = (3000, 3001, 3003, 3007)
"""Seeds that no training draws; their normal glands are the kind of which readings used to come."""


@cache
def network() -> StainedMaps:
    weights = weights_from_file(INSTALLED.parent / "export" / "ihc" / "weights.pt")
    return StainedMaps(network_from_weights(weights)).eval()


def parameters(model: str, stage: Stage) -> dict[str, Any]:
    config = MessageToDict(read_config(INSTALLED / model), preserving_proto_field_name=True)
    return parameters_from_config(stage, json.loads(json.dumps(config)))


def answered(tile: IhcTile) -> dict[str, Any]:
    """What `ihc_slide` answers of a slide that is one window."""
    with torch.no_grad():
        maps = network()(torch.from_numpy(tile.image[None])).numpy()
    window, one = np.array([[0, 0, SIDE, SIDE]], np.float32), np.ones((1, 1), np.int32)
    rows = watershed(maps, window, window, one, one, identity=1, **parameters("ihc_watershed", watershed))
    asked = {name.lower(): rows[name] for name in ("CENTROID", "BOX", "TYPE", "TYPE_PROBABILITY", "AREA", "SHAPE")}
    core = window.repeat(len(rows["TYPE"]), 0)
    whole = {"tile_index": rows["TILE_INDEX"], "core": core, "network": rows["NETWORK"]}
    return read(**asked, **whole, mpp=np.array([MPP], np.float32), **parameters("ihc_slide", read))


def drawn(place: Place) -> list[IhcTile]:
    return list(ihc_tiles(UNSEEN, side=SIDE, mpp=MPP, places=[place], markers=["er"]))


def test_normal_glands_lymphocytes_and_stroma_have_hardly_ever_a_reading() -> None:
    tiles = drawn("apart")
    assert not any(tile.tumour.any() for tile in tiles)
    assert min(len(tile.tumour) for tile in tiles) > 50

    answers = [answered(tile) for tile in tiles]

    # The network before counted 18, 37, 19 and 27 cells in them.
    assert sum(not np.isnan(answer["READING"][0]) for answer in answers) <= 1
    assert sum(answer["COUNT"].sum() for answer in answers) < 15


def test_tumour_has_the_reading_that_its_cells_have() -> None:
    tiles = [tile for tile in drawn("nests") if tile.tumour.sum() >= 30]
    assert len(tiles) > 2

    away = [abs(answered(tile)["READING"][0] - tile.ratio()) for tile in tiles]

    assert np.mean(away) < 0.05
    assert max(away) < 0.15
