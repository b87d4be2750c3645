"""What the project's own parts cost, as ratios against baselines that are measured in the same run."""

import importlib
from pathlib import Path

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
