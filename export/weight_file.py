"""A file of trained weights, and beside it, as JSON, the score that they reached."""

import hashlib
import io
import json
import pickle
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from histoserve.export.whole import write_whole


def weights_from_file(path: Path, part: Callable[[Any], Any] = lambda loaded: loaded) -> dict[str, Tensor]:
    """As the networks take them, float32: shipped ones are float16. ValueError, in one line, if it holds none.

    `part` finds them in what another program saved.
    """
    state = part(load(path))
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()) or not state:
        if isinstance(state, dict) and "optimizer" in state:
            raise ValueError(f"{path} is the checkpoint of a training: give the weights that `histoserve train` named")
        raise ValueError(f"{path} holds no weights: names with a tensor each are wanted, a {type(state).__name__} came")
    require_finite(state, path)
    return {key: value.float() if value.is_floating_point() else value for key, value in state.items()}


def load(path: Path) -> Any:
    """What `torch.save` wrote; ValueError for all else, and for code, which is never run."""
    content = io.BytesIO(path.read_bytes())
    try:
        with warnings.catch_warnings():
            # Of pickles that are none of PyTorch's.
            warnings.simplefilter("ignore")
            return torch.load(content, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "global" in str(error).lower():
            raise ValueError(f"{path} holds code beside tensors, which is never run: save tensors alone") from None
        raise ValueError(f"{path} is no file of weights, or a damaged one") from None
    except Exception as error:
        # torch reads a stranger's bytes with whatever exception they lead it to.
        raise ValueError(f"{path} is no file of weights, or a damaged one ({type(error).__name__})") from None


def save(state: Mapping[str, Any], path: Path) -> None:
    """An interruption or a full disk leaves what was there."""
    content = io.BytesIO()
    torch.save(state, content)
    write_whole(path, content.getvalue())


def require_finite(state: Mapping[str, Tensor], place: object) -> None:
    """ValueError naming the first tensor that holds a NaN or an infinity."""
    for name, tensor in state.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise ValueError(f"{place}: {name} holds NaN or infinity, and nothing can be computed with that")


def save_with_score(
    state: Mapping[str, Tensor], path: Path, score: Mapping[str, float], trained_on: str | None = None
) -> None:
    save(state, path)
    said = {"weights_sha256": sha256_of(path), "score": dict(score), "trained_on": trained_on}
    write_whole(path.with_suffix(".json"), (json.dumps(said, indent=1) + "\n").encode())


def score_of(path: Path) -> dict[str, float] | None:
    """What the file beside the weights `path` says of exactly these weights; None if nothing does."""
    try:
        return {str(name): float(value) for name, value in said_of(path)["score"].items()}
    except (LookupError, TypeError, ValueError, AttributeError):
        return None


def trained_on_of(path: Path) -> str | None:
    """The same, of what they were trained on."""
    trained_on = said_of(path).get("trained_on")
    return trained_on if isinstance(trained_on, str) else None


def said_of(path: Path) -> Mapping[str, Any]:
    try:
        said = json.loads(path.with_suffix(".json").read_bytes())
        if said["weights_sha256"] == sha256_of(path):
            return dict(said)
    except (OSError, ValueError, LookupError, TypeError):
        # Of no use to anybody, and no reason to refuse the weights.
        pass
    return {}


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
