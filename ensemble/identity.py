"""`NETWORK`: the identity of all that decided a window's rows, so that rows of two networks are never mixed.

    graph (its bytes) ─NETWORK─┐
    decode (its parameters) ───┴▶ stage (its own parameters) ─NETWORK─▶ one number for each window

31 bits: two networks of one slide have the same number by chance once in two thousand million times. The source of the
stages counts with their parameters: a mended stage gives other rows.
"""

import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def number(*parts: bytes) -> int:
    """A number from 0 on, 31 bits, that stands for `parts`."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return int.from_bytes(digest.digest()[:4], "little") >> 1


@cache
def source() -> bytes:
    """Digest of this package's source."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.digest()


IDENTITY = "identity"
"""The argument of a stage that decides rows: what it puts into NETWORK. No config sets it."""


def identity_from_config(stage: Callable[..., Any], config: Mapping[str, Any]) -> dict[str, int]:
    """The argument `identity` of a stage that takes it; `config` is Triton's, as JSON."""
    if IDENTITY not in signature(stage).parameters:
        return {}
    given = {key: value["string_value"] for key, value in config.get("parameters", {}).items()}
    return {IDENTITY: stage_identity(stage, given)}


def stage_identity(function: Callable[..., Any], given: Mapping[str, str]) -> int:
    """Of a stage: its source, its name, and those parameters that it takes; `given` is what its config says."""
    arguments = signature(function).parameters
    taken = [f"{name}={given[name]}".encode() for name in sorted(given) if name in arguments and name != IDENTITY]
    return number(source(), function.__name__.encode(), *taken)


def column(identity: int, count: int) -> NDArray[np.int32]:
    """`identity` for each of `count` windows, (count, 1)."""
    return np.full((count, 1), identity, np.int32)


def mixed(columns: Mapping[str, NDArray[np.int32]], count: int, identity: int) -> NDArray[np.int32]:
    """What decided each window's rows: `columns` (count, 1) of the steps before, by name, and this stage; (count, 1).

    Raises ValueError for a column of another length.
    """
    for name, each in columns.items():
        if each.shape != (count, 1):
            raise ValueError(f"{name} is {list(each.shape)}, wanted [{count}, 1]: one identity for each window")
    steps = np.hstack([*columns.values()])
    found, place = np.unique(steps, axis=0, return_inverse=True)
    numbers = [number(row.tobytes(), identity.to_bytes(4, "little")) for row in found.astype("<i4")]
    return np.array(numbers, np.int32)[place.reshape(-1)][:, None]


def check_one_network(network: NDArray[np.int32], rows: int) -> None:
    """ValueError unless NETWORK (W, 1) of a slide's windows holds one identity; W ≥ 1 where there are rows."""
    if network.ndim != 2 or network.shape[1] != 1 or (rows and not len(network)):
        raise ValueError(f"NETWORK is {list(network.shape)}, wanted [W, 1]: of the slide's windows, at least one")
    other = network[:, 0] != network[:1, 0]
    if other.any():
        index = int(other.argmax())
        raise ValueError(
            f"rows of two networks are mixed: NETWORK 0 is {network[0, 0]}, NETWORK {index} is {network[index, 0]}; a"
            " slide's rows come from one: send all its tiles again"
        )
