"""What the project's own parts cost, as ratios against baselines that are measured in the same run."""

import importlib
import os
from pathlib import Path

# ONNX Runtime reports to its maker from the moment of its import: here is the one place that comes before all of them.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

NAMES = ("watershed", "serving", "floor")


def bench(name: str, image: Path | None = None) -> int:
    """Runs one benchmark on `image` (default: a phantom tile); 0 if it meets its targets, else 1.

    Raises ValueError for an unknown name, or one whose packages are not installed.
    """
    if name not in NAMES:
        raise ValueError(f"no benchmark is called {name!r}; there are: {', '.join(NAMES)}")
    try:
        module = importlib.import_module(f"histoserve.benchmark.{name}")
    except ImportError as error:
        raise ValueError(
            f"the benchmark {name} needs more than is installed ({error}): pip install 'histoserve[server,dev]'"
        ) from error
    return int(module.run(image))
