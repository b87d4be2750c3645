"""The backend `onnxruntime` as a Python-based backend: takes the place of NVIDIA's C++ one, with the same configs.

`model` is what Triton calls; `contract` compares config and graph, `session` reads the options, `batch` merges the
requests, `pieces` parts them again for a CPU.
"""

import os

# ONNX Runtime reports to its maker from the moment of its import: here is the one place that comes before all of them.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
