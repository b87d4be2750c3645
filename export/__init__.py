"""How a network becomes a graph: network, training → weights → one verified ONNX graph → the model repository.

A pipeline's networks stand in the folder of its name: `network.py` (what is served of its weights), `train.py`,
`score.py` and the shipped `weights.pt`. What all share stands beside those folders.
"""

import os
import pkgutil

# ONNX Runtime reports to its maker from the moment of its import: here is the one place that comes before all of them.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def pipelines() -> list[str]:
    """Names of those that have networks here."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)
