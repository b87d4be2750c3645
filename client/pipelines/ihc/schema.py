"""What `result` in a `result.json` of ihc holds, as JSON Schema."""

from typing import Any

COUNT = {"type": "integer", "minimum": 0}
RESULT: dict[str, Any] = {
    "type": "object",
    "required": ["ratio", "positive", "negative", "region_mm2", "cells", "tissue_mm2"],
    "additionalProperties": False,
    "properties": {
        "ratio": {
            "description": "positive ÷ (positive + negative); null, not 0, where no tumour was found",
            "type": ["number", "null"],
            "minimum": 0,
            "maximum": 1,
        },
        "positive": {"description": "tumour cells in the lesion region that are stained", **COUNT},
        "negative": {"description": "tumour cells in the lesion region that are not", **COUNT},
        "region_mm2": {"description": "of the lesion region", "type": "number", "minimum": 0},
        "cells": {
            "description": "all that were found, by type; those outside the region too",
            "type": "object",
            "minProperties": 1,
            "additionalProperties": COUNT,
        },
        "tissue_mm2": {"description": "that was analysed", "type": "number", "minimum": 0},
    },
}
