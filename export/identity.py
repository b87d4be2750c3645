"""What a graph is made of, in its own words: the weights, and the source files of its module."""

import hashlib
import inspect
from pathlib import Path

from torch import nn

import histoserve.export


def weights_sha256(module: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def code_sha256(module: nn.Module) -> str:
    """Identity of the source files that a module is made of: the same code and weights give the same graph."""
    folder = Path(next(iter(histoserve.export.__path__))).resolve()
    sources = {Path(inspect.getfile(type(part))).resolve() for part in module.modules()}
    digest = hashlib.sha256()
    shared = [folder / "graph.py", folder / "stamp.py"]
    for path in sorted({*shared, *(path for path in sources if path.is_relative_to(folder))}):
        digest.update(path.read_bytes())
    return digest.hexdigest()
