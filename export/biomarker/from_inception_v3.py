"""What `histoserve export biomarker --from inception_v3 ki67.pth` serves: an InceptionV3 of one answer or two.

Its layers have the names of torchvision's.

Trained with `num_classes=1` on a marker's readings, whose sigmoid is one, of crops of 512 px at 0.3 µm/px. It was never
asked where tumour is, so it has it everywhere; with `num_classes=2` the second answer tells, as of our own. The file's
name is the marker's. Its auxiliary classifier is left out, and `transform_input` is done: tiles come in from −1 to 1.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from histoserve.export.biomarker.network import ANSWERS, MARKER, network_from_weights, together
from histoserve.export.biomarker.network import served as of_markers
from histoserve.export.served import ServedGraph
from histoserve.export.torchvision import state_in

AUXILIARY = "AuxLogits."
SURE = 20.0
"""As a logit: tumour, whatever is shown."""
weights_in = state_in


def served_of_file(weights: Mapping[str, Tensor], path: Path) -> list[ServedGraph]:
    """ValueError for a file whose name is no marker's, and a network of more answers."""
    marker = path.stem.lower()
    if not MARKER.fullmatch(marker):
        raise ValueError(f"{path.stem!r} is no marker's name: call the file after its marker, as in ki67.pth")
    kept = {name: each for name, each in weights.items() if not name.startswith(AUXILIARY)}
    if (answers := kept["fc.weight"].shape[0]) not in (1, ANSWERS):
        raise ValueError(f"{answers} answers, where a marker's reading is one, and whether there is tumour another")
    if answers < ANSWERS:
        kept["fc.weight"] = torch.cat([kept["fc.weight"], torch.zeros_like(kept["fc.weight"])])
        kept["fc.bias"] = torch.cat([kept["fc.bias"], torch.full_like(kept["fc.bias"], SURE)])
    network = network_from_weights(kept)
    return of_markers(together({marker: network.state_dict()}))
