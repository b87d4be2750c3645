"""The Helm chart as a cluster would get it, rendered without Helm or a cluster."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[1] / "deploy" / "chart"
KINDS = ("cpu", "gpu", "tensorrt")
DIGEST = f"sha256:{'0' * 64}"
SET: dict[str, Any] = {
    "image": {"repository": "registry.example/histoserve", "digest": DIGEST},
    "envoy": {"image": {"digest": DIGEST}},
    "scaling": {"prometheus": "http://prometheus.monitoring:9090"},
}
"""What no values file can know."""


def values(kind: str) -> dict[str, Any]:
    """Of a values file of the chart, and what must be set besides."""
    given = yaml.safe_load((CHART / "values" / f"{kind}.yaml").read_text())
    return merged(given, SET)


def merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """`one`, and over it `other`, as Helm lays values over each other."""
    both = {**one, **other}
    for key in one.keys() & other.keys():
        if isinstance(one[key], dict) and isinstance(other[key], dict):
            both[key] = merged(one[key], other[key])
    return both


@cache
def chart() -> Any:
    """Loaded once; the library is large."""
    from helm_python import Chart

    return Chart.load(str(CHART))


def objects(given: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Kind/name → the object, of the release `h` in the namespace `path`. Raises what Helm would say."""
    files = chart().render(given, name="h", namespace="path")
    found = [each for text in files.values() for each in yaml.safe_load_all(text) if each]
    return {f"{each['kind']}/{each['metadata']['name']}": each for each in found}
