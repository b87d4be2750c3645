"""Compiles the kernels of all stages into NUMBA_CACHE_DIR, for the processor that NUMBA_CPU_NAME names, for an image.

Run as a module. Kernels are compiled when they are imported (`compiled`); the adapter to Triton has none, and needs it.
"""

import importlib
import pkgutil
import sys
from collections.abc import Sequence

from histoserve import ensemble

ADAPTER = "histoserve.ensemble.stage"


def main(names: Sequence[str] = ()) -> None:
    """Imports the modules of these names, or each of `histoserve.ensemble`."""
    every = [module.name for module in pkgutil.walk_packages(ensemble.__path__, f"{ensemble.__name__}.")]
    for name in names or every:
        if name != ADAPTER:
            importlib.import_module(name)


if __name__ == "__main__":
    main(sys.argv[1:])
