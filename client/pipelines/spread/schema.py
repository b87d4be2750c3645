"""What `result` in a `result.json` of spread holds, as JSON Schema."""

from typing import Any

SHARE = {"type": "number", "minimum": 0, "maximum": 1}
COUNT = {"type": "integer", "minimum": 0}
LENGTH = {"type": "number", "minimum": 0}
PLACE = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
OR_NULL = {"type": ["number", "null"], "minimum": 0}

EXTENT = {
    "description": "mm² and µm are null where the µm per pixel are not known; the others are in regions",
    "type": "object",
    "required": [
        *("mm2_lesion", "mm2_reached", "farthest_um"),
        *("regions_lesion", "regions_reached", "farthest_regions"),
    ],
    "additionalProperties": False,
    "properties": {
        "mm2_lesion": {"description": "of regions at or above the parameter lesion", **OR_NULL},
        "mm2_reached": {"description": "of regions at or above the parameter reached", **OR_NULL},
        "farthest_um": {"description": "from the primary's centre to the centre of the farthest reached", **OR_NULL},
        "regions_lesion": COUNT,
        "regions_reached": COUNT,
        "farthest_regions": LENGTH,
    },
}
REGIONS = {
    "description": "the raster of regions, numbered row by row; analysed are those with a value; side in level-0 px",
    "type": "object",
    "required": ["rows", "columns", "analysed", "side"],
    "additionalProperties": False,
    "properties": {"rows": COUNT, "columns": COUNT, "analysed": COUNT, "side": LENGTH},
}
PRIMARY = {
    "description": "the largest connected part at or above the parameter lesion; null for none",
    "type": ["object", "null"],
    "required": ["regions", "centre", "region"],
    "additionalProperties": False,
    "properties": {
        "regions": {"type": "integer", "minimum": 1},
        "centre": {"description": "x, y in level-0 px", **PLACE},
        "region": {
            "description": "around it: x, y, width, height in level-0 px",
            "type": "array",
            "items": {"type": "integer"},
            "minItems": 4,
            "maxItems": 4,
        },
    },
}

RESULT: dict[str, Any] = {
    "type": "object",
    "required": ["main_direction", "angle_degrees", "extent", "regions", "primary", "value", "tissue_mm2"],
    "additionalProperties": False,
    "properties": {
        "main_direction": {
            "description": "unit vector, x right and y down; null where there is no spread to one side",
            "anyOf": [PLACE, {"type": "null"}],
        },
        "angle_degrees": {
            "description": "the same as an angle: 0 is right, 90 up, counter-clockwise as the picture is seen",
            "type": ["number", "null"],
            "minimum": 0,
            "exclusiveMaximum": 360,
        },
        "extent": EXTENT,
        "regions": REGIONS,
        "primary": PRIMARY,
        "value": {
            "description": "share of lesion cells over all regions analysed; null without any",
            "type": ["object", "null"],
            "required": ["mean", "highest"],
            "additionalProperties": False,
            "properties": {"mean": SHARE, "highest": SHARE},
        },
        "tissue_mm2": {"description": "that was analysed; null where the µm per pixel are not known", **OR_NULL},
    },
}
