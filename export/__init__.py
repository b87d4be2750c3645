"""How a network becomes a graph: network, training → weights → one verified ONNX graph → the model repository.

A pipeline's networks stand in the folder of its name: `network.py` (what is served of its weights), `train.py`,
`score.py` and the shipped `weights.pt`. What all share stands beside those folders, lower precisions in `lower`.
"""

import os
import pkgutil
from importlib.util import find_spec

# ONNX Runtime reports to its maker from the moment of its import: here is the one place that comes before all of them.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def pipelines() -> list[str]:
    """Names of those that have networks here."""
    found = (each.name for each in pkgutil.iter_modules(__path__) if each.ispkg)
    return sorted(name for name in found if find_spec(f"{__name__}.{name}.network"))
