"""Why a server did not start, from its log."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

SHOWN_LOG_LINES = 30
ERROR = re.compile(r'^E\d{4} .*?\] "(.*)"\s*$', re.MULTILINE)
LOADING = re.compile(r'"loading: ([^:"]+):\d+"')
SETTLED = re.compile(r"(?:successfully loaded|failed to load) '([^']+)'")
NO_SHARED_MEMORY = "Unable to initialize shared memory key"
WITHOUT_GPU = ("CudaDriverHelper", "CUDA driver version")
"""Said by every server on a machine without a GPU."""


def failure_message(headline: str, repository: Path, log: Path) -> str:
    """What failed and why, in one line; followed by the end of the log only if the log names no reason."""
    text = log.read_text(errors="replace")
    reasons = _reasons(text) or [f"still loading: {model}" for model in _still_loading(text)]
    where = f"(model repository {repository}; log {log})"
    if reasons:
        return f"{headline}: {'; '.join(reasons)} {where}"
    # Tables repeat what the errors say, in lines of 200 characters.
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith(("|", "+-"))]
    return "\n".join([f"{headline} {where}; the end of the log:", *lines[-SHOWN_LOG_LINES:]])


def _reasons(log: str) -> list[str]:
    errors = [_in_a_line(error) for error in ERROR.findall(log) if not any(words in error for words in WITHOUT_GPU)]
    if any(NO_SHARED_MEMORY in error for error in errors):
        return ["/dev/shm is full: make room there, 64 MB at least (in a container: more with --shm-size)"]
    # What else is said of a model that does not load repeats this.
    return _by_reason(error for error in errors if error.startswith("failed to load")) or errors


def _by_reason(failures: Iterable[str]) -> list[str]:
    """Models that fail for one reason, as all that wait for one network do, are told together."""
    found: dict[str, tuple[list[str], str]] = {}
    for failure in dict.fromkeys(failures):
        model, _, reason = failure.removeprefix("failed to load ").partition(": ")
        # Backend and stage raise it as exceptions of their own.
        found.setdefault(re.sub(r"^[A-Z]\w+: ", "", reason), ([], reason))[0].append(model)
    return [f"failed to load {', '.join(models)}: {reason}" for models, reason in found.values()]


def _in_a_line(error: str) -> str:
    """Without the stage's line numbers, which the log has: `failed to load 'model': its reason`."""
    message = error.split(r"\n\nAt:", 1)[0].replace(r"\n", " ").strip()
    return re.sub(r"^(failed to load '[^']*') version \d+: [A-Z][a-z ]+: ", r"\1: ", message)


def _still_loading(log: str) -> list[str]:
    return sorted(set(LOADING.findall(log)) - set(SETTLED.findall(log)))
