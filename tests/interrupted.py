"""Ctrl-C at a chosen moment, and what a training that went on after it should equal."""

from collections.abc import Callable, Mapping
from typing import Any

import torch


def interrupted_once(function: Callable[..., Any], at: int) -> Callable[..., Any]:
    """`function`, whose call number `at` is Ctrl-C."""
    calls = iter(range(10**6))

    def call(*arguments: Any, **named: Any) -> Any:
        if next(calls) == at:
            raise KeyboardInterrupt
        return function(*arguments, **named)

    return call


def same(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
