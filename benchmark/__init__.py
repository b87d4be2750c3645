"""What the project's own parts cost, as ratios against baselines that are measured in the same run.

A benchmark is a folder `<name>/` here with a `bench.py`, whose `run(image)` prints its figures and returns 0 if they
meet their targets, else 1.
"""

import importlib
import os
import pkgutil
from pathlib import Path

# ONNX Runtime reports to its maker from the moment of its import: here is the one place that comes before all of them.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def names() -> list[str]:
    """Of the benchmarks that there are."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)


def bench(name: str, image: Path | None = None) -> int:
    """Runs one benchmark on `image` (default: a phantom tile); 0 if it meets its targets, else 1.

    Raises ValueError for an unknown name, or one whose packages are not installed.
    """
    if name not in names():
        raise ValueError(f"no benchmark is called {name!r}; there are: {', '.join(names())}")
    try:
        module = importlib.import_module(f"histoserve.benchmark.{name}.bench")
    except ImportError as error:
        raise ValueError(
            f"the benchmark {name} needs more than is installed ({error}): pip install 'histoserve[server,dev]'"
        ) from error
    return int(module.run(image))
