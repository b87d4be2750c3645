"""Weights to start from: torchvision's InceptionV3, or our own of a marker."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from histoserve.export.biomarker.network import WIDEST, BiomarkerNetwork, by_marker, network_from_weights
from histoserve.export.rooms import first_fault
from histoserve.export.weight_file import save_with_score, score_of, trained_on_of, weights_from_file

LEFT_OUT = ("AuxLogits.", "fc.")
"""Of a file of ImageNet's classes: the auxiliary classifier, and the last layer, which names a thousand of them."""


def network_from_file(path: Path, marker: str) -> tuple[BiomarkerNetwork, str]:
    """A network that starts from the file, and where from, in words.

    A file of ours has the marker's own weights, or those of a single other one. ValueError, in one sentence, for a file
    that is neither.
    """
    if not path.is_file():
        raise ValueError(f"no weights at {path}: torchvision's file of InceptionV3 is wanted, or one of our own")
    weights = weights_from_file(path)
    if WIDEST in weights:
        return _of_torchvision(weights, path), f"{path.name}, InceptionV3's under torchvision's names"
    try:
        markers = by_marker(weights)
    except ValueError as error:
        raise ValueError(f"{path} holds no InceptionV3: {error}") from None
    if marker not in markers and len(markers) > 1:
        raise ValueError(f"{path} holds {', '.join(markers)} and no {marker}: which to start from is not clear")
    start = marker if marker in markers else next(iter(markers))
    try:
        return network_from_weights(markers[start]), f"{path.name}, our own of {start}"
    except (LookupError, RuntimeError) as error:
        raise ValueError(f"{path} holds no InceptionV3 of {start}: {first_fault(str(error))}") from None


def _of_torchvision(weights: dict[str, Tensor], path: Path) -> BiomarkerNetwork:
    network = BiomarkerNetwork()
    given = {name: each for name, each in weights.items() if not name.startswith(LEFT_OUT)}
    own = {name: each for name, each in network.state_dict().items() if name.startswith(LEFT_OUT)}
    wanted = network.state_dict()
    for name, tensor in wanted.items():
        # Older files count no batches.
        if name.endswith("num_batches_tracked"):
            given.setdefault(name, tensor)
    try:
        network.load_state_dict({**given, **own})
    except RuntimeError as error:
        raise ValueError(f"{path} holds no InceptionV3 under torchvision's names: {first_fault(str(error))}") from None
    return network


def write_joined(files: Sequence[Path], path: Path) -> None:
    """One file of several markers' files of ours, with what each reached; all were trained by one command."""
    weights: dict[str, Tensor] = {}
    score: dict[str, float] = {}
    for file in files:
        weights |= weights_from_file(file)
        score |= score_of(file) or {}
    save_with_score(weights, path, score, trained_on_of(files[0]))
