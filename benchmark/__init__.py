"""What the project's own parts cost, as ratios against baselines that are measured in the same run."""

import importlib
from pathlib import Path

NAMES = ("watershed", "serving", "floor")


def bench(name: str, image: Path | None = None) -> int:
    """Runs one benchmark on `image` (default: a phantom tile); 0 if it meets its targets, else 1."""
    if name not in NAMES:
        raise ValueError(f"no benchmark is called {name!r}; there are: {', '.join(NAMES)}")
    return int(importlib.import_module(f"histoserve.benchmark.{name}").run(image))
