"""The JSON Schema of `result.json`: what it takes, and what it does not."""

import pkgutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from histoserve.client import pipelines
from histoserve.client.analyze import Order, analyze
from histoserve.client.progress import Quiet
from histoserve.client.results.result_json import SCHEMA
from histoserve.client.results.schema import common_schema, schema_of

Spoil = Callable[[dict[str, Any]], Any]


@pytest.fixture
def result(slide_path: Path, tmp_path: Path, disc_wire: Any) -> dict[str, Any]:
    order = Order(slide_path, "nuclei", tmp_path / "out", mpp=0.25)
    return analyze(order, lambda: nullcontext(disc_wire()), Quiet()).result


@pytest.mark.parametrize("pipeline", [module.name for module in pkgutil.iter_modules(pipelines.__path__)])
def test_each_pipeline_describes_its_part(pipeline: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema_of(pipeline))
    assert schema_of(pipeline)["properties"]["result"] != common_schema()["properties"]["result"]


def test_a_result_is_as_described_and_says_by_which_version(result: dict[str, Any]) -> None:
    jsonschema.validate(result, schema_of("nuclei"))
    assert result["schema"] == SCHEMA == common_schema()["properties"]["schema"]["const"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda result: result.update(schema=2),
        lambda result: result.pop("tiles"),
        lambda result: result["slide"].update(mpp=0),
        lambda result: result["tiles"].update(sent=-1),
        lambda result: result["pipeline"]["models"].clear(),
        lambda result: result["result"]["nuclei"].update(count=1.5),
        lambda result: result["result"].update(more=1),
    ],
)
def test_anything_else_is_not(result: dict[str, Any], spoil: Spoil) -> None:
    spoil(result)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(result, schema_of("nuclei"))
