"""What `result` in a `result.json` of nuclei holds, as JSON Schema."""

from typing import Any

COUNT = {
    "description": "of nuclei; the density is null without tissue",
    "type": "object",
    "required": ["count", "per_mm2"],
    "additionalProperties": False,
    "properties": {
        "count": {"type": "integer", "minimum": 0},
        "per_mm2": {"type": ["number", "null"], "minimum": 0},
    },
}
RESULT: dict[str, Any] = {
    "type": "object",
    "required": ["nuclei", "types", "tissue_mm2"],
    "additionalProperties": False,
    "properties": {
        "nuclei": COUNT,
        "types": {"description": "by name", "type": "object", "minProperties": 1, "additionalProperties": COUNT},
        "tissue_mm2": {"description": "that was analysed", "type": "number", "minimum": 0},
    },
}
