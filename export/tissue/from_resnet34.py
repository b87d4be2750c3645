"""What `histoserve export tissue --from resnet34 FILE` serves: torchvision's ResNet-34, trained on its classes.

Its last layer gives a logit each of these, in their order, of tiles at the pipeline's µm/px.
"""

from torch import Tensor

from histoserve.export.served import ServedGraph
from histoserve.export.tissue.classes import CLASSES, MPP, TILE_PX
from histoserve.export.torchvision import resnet34_from_weights, state_in, tile_classifier

weights_in = state_in


def served(weights: dict[str, Tensor]) -> list[ServedGraph]:
    """As of the pipeline's own network."""
    network = resnet34_from_weights(weights)
    return [tile_classifier("tissue_network", network, CLASSES, TILE_PX, {"mpp": f"{MPP:.6g}"})]
