"""How a network becomes a graph: networks, training → weights → one verified ONNX graph → the model repository."""

import os

# ONNX Runtime reports to its maker from the moment of its import: here is the one place that comes before all of them.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
