"""Which graph a model serves, from which weights, and how good they were: `origin.json` beside the graph."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from histoserve.export.weight_file import score_of, sha256_of, trained_on_of

FILE = "origin.json"


@dataclass(frozen=True)
class Origin:
    """Of one graph."""

    graph_sha256: str
    size: int
    """Bytes"""
    weights: str | None = None
    """Name of the file"""
    weights_sha256: str | None = None
    score: Mapping[str, float] | None = None
    """Of the training's validation; None for unknown"""
    trained_on: str | None = None
    """In words; None for unknown"""

    def __str__(self) -> str:
        weights = f"from {self.weights} ({(self.weights_sha256 or '')[:12]})" if self.weights else "weights unknown"
        figures = ", ".join(f"{name} {value:.4g}" for name, value in (self.score or {}).items())
        return f"graph {self.graph_sha256[:12]}, {self.size / 2**20:.1f} MiB, {weights}, score {figures or 'unknown'}"

    def to_json(self) -> bytes:
        return (json.dumps(asdict(self), indent=1) + "\n").encode()


def origin_from_weights(graph: bytes, weights: Path | None) -> Origin:
    digest = hashlib.sha256(graph).hexdigest()
    if weights is None:
        return Origin(digest, len(graph))
    score, trained_on = score_of(weights), trained_on_of(weights)
    return Origin(digest, len(graph), weights.name, sha256_of(weights), score, trained_on)


def origin_of(model: Path, version: int = 1) -> Origin | None:
    """Of the graph in the model's folder, None without one; of a graph put there by other means little is known."""
    path = model / str(version) / "model.onnx"
    if not path.is_file():
        return None
    graph = path.read_bytes()
    bare = Origin(hashlib.sha256(graph).hexdigest(), len(graph))
    try:
        said = Origin(**json.loads((path.parent / FILE).read_bytes()))
        str(said)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return bare
    return said if said.graph_sha256 == bare.graph_sha256 else bare
