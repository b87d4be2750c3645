"""KEDA's and Prometheus' objects against the definitions of their kinds: no field that these do not have."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from custom_resources import PLACES, fetched, schema_of
from jsonschema import Draft202012Validator
from rendered_chart import KINDS, objects, values

pytest.importorskip("helm_python")
pytestmark = pytest.mark.skipif(
    not all(fetched(version) for version in PLACES),
    reason="needs the definitions: make .venv/.kinds",
)


def custom(kind: str) -> dict[str, dict[str, Any]]:
    return {name: each for name, each in objects(values(kind)).items() if each["apiVersion"] in PLACES}


def wrong(each: dict[str, Any]) -> list[str]:
    schema = schema_of(each["apiVersion"], each["kind"])
    return [error.message for error in Draft202012Validator(schema).iter_errors(each)]


def dicts(whole: Any) -> Iterator[dict[str, Any]]:
    """All of an object's, but for those whose names are free: labels and a trigger's settings."""
    if isinstance(whole, dict):
        yield whole
    parts = whole.items() if isinstance(whole, dict) else enumerate(whole) if isinstance(whole, list) else ()
    for key, part in parts:
        if key not in ("metadata", "labels", "matchLabels", "annotations"):
            yield from dicts(part)


@pytest.mark.parametrize("kind", KINDS)
def test_the_objects_are_as_their_kinds_are_defined(kind: str) -> None:
    found = custom(kind)

    assert {each["kind"] for each in found.values()} == {"ScaledObject", "PodMonitor", "PrometheusRule"}
    for name, each in found.items():
        assert wrong(each) == [], name


def test_an_unknown_field_is_noticed_wherever_it_stands() -> None:
    for name, each in custom("cpu").items():
        places = len(list(dicts(each)))
        assert places > 5
        for number in range(places):
            spoiled = copy.deepcopy(each)
            list(dicts(spoiled))[number]["unheardOf"] = 1
            assert wrong(spoiled), (name, number)


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("ScaledObject/h-triton", ("minReplicaCount",), "2"),
        ("ScaledObject/h-triton", ("fallback", "failureThreshold"), -1),
        ("ScaledObject/h-triton", ("triggers", 0, "metadata", "ignoreNullValues"), False),
        ("PodMonitor/h-triton", ("podMetricsEndpoints", 0, "interval"), "15 s"),
        ("PrometheusRule/h", ("groups", 0, "rules", 0, "expr"), ["1"]),
    ],
)
def test_a_wrong_value_is_noticed(name: str, path: tuple[Any, ...], value: Any) -> None:
    spoiled = copy.deepcopy(custom("cpu")[name])
    place = spoiled["spec"]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value

    assert wrong(spoiled)
