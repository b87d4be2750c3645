"""The description of a pipeline as data, of the shape that `--json` prints."""

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from histoserve.client.contract import Contract, ModelConfig, Tensor
from histoserve.client.describe.every import COORDINATES, ERRORS, HEALTH, ROWS, WIRE
from histoserve.client.describe.meaning import EVERY_SLIDE, EVERY_TILES, Meaning, ModelMeaning
from histoserve.client.rooms import rooms

VERSION = 1
"""Of the shape: higher where what a reader relies on goes or changes, the same where something is added."""

LIMITS = {"max_tiles": "pictures", "max_pixels": "pixels"}
"""Parameters that bound a request beside its windows, and of what."""

ROOMS = "histoserve.client.pipelines"
UNKNOWN, NOTHING = Meaning(""), ModelMeaning("", {})


def description(
    pipeline: str, contract: Contract, config_of: Callable[[str], ModelConfig], source: str
) -> dict[str, Any]:
    """Of `pipeline`; `source` says where its configs came from. Raises ServerError for configs that contradict."""
    own = meanings(pipeline)
    return {
        "histoserve_description": VERSION,
        "pipeline": pipeline,
        "source": source,
        "window": window(contract),
        "limits": {"windows": contract.max_batch, **limits(contract)},
        "tiles": model(config_of(f"{pipeline}_tiles"), own["tiles"], EVERY_TILES, contract),
        "slide": model(config_of(f"{pipeline}_slide"), own["slide"], EVERY_SLIDE, contract),
        "coordinates": COORDINATES,
        "rows": ROWS,
        "wire": WIRE,
        "errors": [{"codes": codes, "means": means, "do": do} for codes, means, do in ERRORS],
        "health": HEALTH,
        "models": [
            {"name": each.name, "version": each.version, "graph_sha256": each.graph_sha256} for each in contract.models
        ],
        "parameters": dict(contract.parameters),
    }


def meanings(pipeline: str) -> dict[str, ModelMeaning]:
    """From `tensors` in the pipeline's room; empty ones where there is none."""
    known = pipeline in rooms(ROOMS, "tensors")
    found = importlib.import_module(f"{ROOMS}.{pipeline}.tensors") if known else None
    return {"tiles": getattr(found, "TILES", NOTHING), "slide": getattr(found, "SLIDE", NOTHING)}


def window(contract: Contract) -> dict[str, float | None]:
    """Its pixels, and where the network has a scale its physical size."""
    pixels = {"px": contract.tile_px, "margin_px": contract.margin_px}
    if "mpp" not in {*contract.parameters, *contract.clashes}:
        return {**pixels, "mpp": None, "um": None, "margin_um": None}
    scale = contract.mpp
    return {**pixels, "mpp": scale, "um": contract.tile_px * scale, "margin_um": contract.margin_px * scale}


def limits(contract: Contract) -> dict[str, int]:
    """Of a request, as far as configs say them."""
    return {of: int(contract.number(name)) for name, of in LIMITS.items() if name in contract.parameters}


def model(
    config: ModelConfig, meaning: ModelMeaning, every: Mapping[str, Meaning], contract: Contract
) -> dict[str, Any]:
    """One public model."""
    known = {**every, **meaning.tensors}

    def described(tensors: tuple[Tensor, ...], known: Mapping[str, Meaning]) -> list[dict[str, Any]]:
        return [tensor(each, known.get(each.name, UNKNOWN), contract) for each in tensors]

    return {
        "model": config.name,
        "meaning": meaning.text,
        "inputs": described(config.inputs, known),
        "outputs": described(config.outputs, {**known, **meaning.answers}),
    }


def tensor(config: Tensor, meaning: Meaning, contract: Contract) -> dict[str, Any]:
    """`values` are the names of numbers, or of columns, by number, or null."""
    axes = iter(meaning.axes)
    names = contract.names(meaning.names) if meaning.names in contract.parameters else ()
    return {
        "name": config.name,
        "dtype": config.dtype,
        "shape": [next(axes, "any") if length < 0 else length for length in config.dims],
        "unit": meaning.unit or None,
        "meaning": meaning.text or None,
        "values": {str(number): name for number, name in enumerate(names, meaning.first)} or None,
    }
