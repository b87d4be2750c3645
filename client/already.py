"""Whether a result is there already: complete, of the same slide, made by the same network with the same options."""

import threading
from pathlib import Path
from typing import Any

import numpy as np

from histoserve.client.analyze import Order, Report
from histoserve.client.connect import Wire
from histoserve.client.contract import HOW_IT_RUNS, Contract
from histoserve.client.errors import ServerError, WrongUsage
from histoserve.client.grid import PlannedTile
from histoserve.client.network import NAME
from histoserve.client.pipelines import rows_of
from histoserve.client.preparation import AS_IT_IS
from histoserve.client.results.folder import LAST
from histoserve.client.results.result_json import SCHEMA, client_version, describe_models, read_result
from histoserve.client.results.source import folder_of, source_of
from histoserve.client.travel.block import Picture, block_of
from histoserve.client.travel.encode import Encoding, encode, encoding_from_text


class Already:
    """What is there, compared with what the servers would answer now; used by several threads."""

    def __init__(self, wire: Wire):
        self._wire = wire
        self._lock = threading.Lock()
        self._networks: dict[str, tuple[Contract, int]] = {}

    def report(self, order: Order) -> Report | None:
        """The result that stands in the order's place, if analysing the slide would give the same."""
        place = order.out / folder_of(order.slide) / order.pipeline
        result = read_result(place / LAST)
        try:
            report = Report(result or {}, place)
            there = result is not None and self._is_same(order, place, result) and report.words
        except (AttributeError, LookupError, TypeError, WrongUsage):
            # Something else than this version writes.
            return None
        return report if there else None

    def _is_same(self, order: Order, place: Path, result: dict[str, Any]) -> bool:
        return (
            _options_of(result) == _options(order)
            and not result["tiles"]["failed"]
            and all((place / name).is_file() for name in result["files"])
            and result["slide"]["content_sha256"] == source_of(order.slide).content
            and self._made_by_the_network_served(order.pipeline, result)
        )

    def _made_by_the_network_served(self, pipeline: str, result: dict[str, Any]) -> bool:
        """The servers are asked once, with a white tile; a slide without tiles was seen by no network."""
        made = result["pipeline"]
        contract = self._wire.contract(pipeline)
        with self._lock:
            known = self._networks.get(contract.pipeline)
            if known is None or known[0] != contract:
                known = self._networks[contract.pipeline] = contract, self._ask(contract)
        now = describe_models(contract, [])
        seen = result["tiles"]["planned"] == 0 or made["network"] == known[1]
        return seen and _deciding(made) == _deciding(now)

    def _ask(self, contract: Contract) -> int:
        side = (0, 0, contract.tile_px, contract.tile_px)
        white = np.full((contract.tile_px, contract.tile_px, 3), 255, np.uint8)
        rows = rows_of(contract.pipeline)(contract, contract.mpp)
        block = block_of([Picture(PlannedTile(0, side, side), encode(white, Encoding()))])
        inputs = {**block.inputs(contract.mpp), **rows.more_inputs(block.tiles)}
        outputs = self._wire.infer(f"{contract.pipeline}_tiles", inputs)
        if NAME not in outputs or outputs[NAME].size != 1:
            raise ServerError(
                f"{contract.pipeline}_tiles does not tell its {NAME}. Serve a repository of this version."
            )
        return int(outputs[NAME].item())


def _options(order: Order) -> dict[str, Any]:
    """All that decides a result beside slide and network."""
    given = order.mpp is not None
    options = {"schema": SCHEMA, "histoserve": client_version(), "encoding": order.encoding.pixels}
    prepared = order.preparation.described()
    return {**options, "preparation": prepared, "mpp_given": given, "mpp": order.mpp if given else None}


def _options_of(result: dict[str, Any]) -> dict[str, Any]:
    slide = result.get("slide", {})
    options = {name: result.get(name) for name in ("schema", "histoserve")}
    options["encoding"] = encoding_from_text(result["encoding"]).pixels
    given = slide.get("mpp_from") == "--mpp"
    # Results of clients from before pictures were prepared do not say it.
    asked = result.get("preparation", {}).get("asked", AS_IT_IS.described())
    return {**options, "preparation": asked, "mpp_given": given, "mpp": slide.get("mpp") if given else None}


def _deciding(pipeline: dict[str, Any]) -> dict[str, Any]:
    parameters = {name: text for name, text in pipeline["parameters"].items() if name not in HOW_IT_RUNS}
    return {"models": pipeline["models"], "parameters": parameters}
