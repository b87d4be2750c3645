"""What `result` in a `result.json` of biomarker holds, as JSON Schema."""

from typing import Any

SHARE = {"type": "number", "minimum": 0, "maximum": 1}
COUNT = {"type": "integer", "minimum": 0}
TILE = {
    "type": "object",
    "required": ["number", "region", "reading"],
    "additionalProperties": False,
    "properties": {
        "number": {"description": "as in all files; null for those that are not shown one by one", "minimum": 1}
        | {"type": ["integer", "null"]},
        "region": {
            "description": "x, y, width, height in level-0 px",
            "type": "array",
            "items": {"type": "integer"},
            "minItems": 4,
            "maxItems": 4,
        },
        "reading": SHARE,
    },
}
READING = {
    "type": "object",
    "required": ["reading", "tiles_used", "tiles_with_tumour", "tiles", "highest"],
    "additionalProperties": False,
    "properties": {
        "reading": {
            "description": "the slide's, as a share of 1; null if no tile shows tumour, which is not 0",
            "type": ["number", "null"],
            "minimum": 0,
            "maximum": 1,
        },
        "tiles_used": {"description": "of which the reading is the mean", **COUNT},
        "tiles_with_tumour": {"description": "that have a reading", **COUNT},
        "tiles": {"description": "that were analysed", **COUNT},
        "highest": {"description": "tiles, from the highest; equal ones by y, then x", "type": "array", "items": TILE},
    },
}

RESULT: dict[str, Any] = {
    "type": "object",
    "required": ["stain", "mean_of", "readings", "tissue_mm2"],
    "additionalProperties": False,
    "properties": {
        "stain": {"description": "of the slide, by which the networks predict; not that of a marker", "type": "string"},
        "mean_of": {"description": "the tiles that make a reading", "enum": ["highest", "all"]},
        "readings": {"description": "by marker", "type": "object", "additionalProperties": READING},
        "tissue_mm2": {"description": "that was analysed", "type": "number", "minimum": 0},
    },
}
