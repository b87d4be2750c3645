"""What `result` in a `result.json` of peakmap holds, as JSON Schema."""

from typing import Any

SHARE = {"type": "number", "minimum": 0, "maximum": 1}
REGION = {
    "description": "x, y, width, height in level-0 px",
    "type": "array",
    "items": {"type": "integer"},
    "minItems": 4,
    "maxItems": 4,
}
BOX = {
    "description": "what a detector saw of the type in the tile",
    "type": "object",
    "required": ["region", "score"],
    "additionalProperties": False,
    "properties": {"region": REGION, "score": SHARE},
}
PEAK = {
    "type": "object",
    "required": ["number", "region", "score", "attention", "boxes"],
    "additionalProperties": False,
    "properties": {
        "number": {"description": "1 for the highest attention", "type": "integer", "minimum": 1},
        "region": REGION,
        "score": SHARE,
        "attention": SHARE,
        "boxes": {"type": "array", "items": BOX},
    },
}
OF_TYPE = {
    "type": "object",
    "required": ["peaks"],
    "additionalProperties": False,
    "properties": {"peaks": {"description": "from the highest score", "type": "array", "items": PEAK}},
}

RESULT: dict[str, Any] = {
    "type": "object",
    "required": ["class", "probability", "types", "tissue_mm2"],
    "additionalProperties": False,
    "properties": {
        "class": {"description": "the likeliest; null without any tile", "type": ["string", "null"]},
        "probability": {"description": "by class", "type": ["object", "null"], "additionalProperties": SHARE},
        "types": {"description": "by name", "type": "object", "additionalProperties": OF_TYPE},
        "tissue_mm2": {"description": "that was analysed", "type": "number", "minimum": 0},
    },
}
