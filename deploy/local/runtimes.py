"""What runs the networks of a server: the providers that ONNX Runtime took, as our backend logged them."""

from __future__ import annotations

import re
from pathlib import Path

CHOSEN = re.compile(r'"(?P<model>[^":]+?)_\d+_\d+: [^"]*\.onnx on (?P<providers>[\w, ]+)"')


def runtimes_in(log: Path) -> dict[str, list[str]]:
    """Providers, the preferred first → models that they run, by name."""
    found: dict[str, set[str]] = {}
    for match in CHOSEN.finditer(log.read_text(errors="replace")):
        found.setdefault(match["providers"], set()).add(match["model"])
    return {providers: sorted(models) for providers, models in sorted(found.items())}


def in_lines(log: Path) -> list[str]:
    """For the terminal."""
    return [f"runs     {', '.join(models)}: {providers}" for providers, models in runtimes_in(log).items()]
