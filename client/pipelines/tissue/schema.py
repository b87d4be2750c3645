"""What `result` in a `result.json` of tissue holds, as JSON Schema."""

from typing import Any

SHARE = {"type": "number", "minimum": 0, "maximum": 1}
REGION = {
    "type": "object",
    "required": ["number", "class", "mean", "highest", "mm2", "tiles", "region"],
    "additionalProperties": False,
    "properties": {
        "number": {"description": "1 for the worst, as in all files", "type": "integer", "minimum": 1},
        "class": {"description": "the abnormal one that is likeliest over its tiles", "type": "string"},
        "mean": {"description": "of its tiles' abnormal probability", **SHARE},
        "highest": {"description": "of the same", **SHARE},
        "mm2": {"description": "of its tiles", "type": "number", "minimum": 0},
        "tiles": {"type": "integer", "minimum": 1},
        "region": {
            "description": "x, y, width, height in level-0 px of the rectangle around it",
            "type": "array",
            "items": {"type": "integer"},
            "minItems": 4,
            "maxItems": 4,
        },
    },
}

RESULT: dict[str, Any] = {
    "type": "object",
    "required": ["class", "probability", "regions", "tissue_mm2"],
    "additionalProperties": False,
    "properties": {
        "class": {
            "description": "the slide's; null if none of its tiles was analysed, which is not normal",
            "type": ["string", "null"],
        },
        "probability": {
            "description": "by class, the normal one first: the mean of the most abnormal tiles",
            "type": ["object", "null"],
            "additionalProperties": SHARE,
        },
        "regions": {
            "description": "of abnormal tiles, the worst first; a slide of class normal may have some",
            "type": "array",
            "items": REGION,
        },
        "tissue_mm2": {"description": "that was analysed", "type": "number", "minimum": 0},
    },
}
