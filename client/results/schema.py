"""The JSON Schema of `result.json`: what all pipelines have in common, and the part that each pipeline describes."""

import json
from copy import deepcopy
from importlib import resources
from typing import Any

from histoserve.client.pipelines import rows_of

FILE = "result.schema.json"


def common_schema() -> dict[str, Any]:
    """Of every result; what `result` holds is left open."""
    text = resources.files(__package__).joinpath(FILE).read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def schema_of(pipeline: str) -> dict[str, Any]:
    """Of a pipeline's results; raises WrongUsage for an unknown one."""
    schema = deepcopy(common_schema())
    schema["properties"]["result"] = rows_of(pipeline).RESULT
    return schema
