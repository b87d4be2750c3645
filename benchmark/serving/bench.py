"""Tiles per second through Triton, against ONNX Runtime in a bare loop on the same graph."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from histoserve.benchmark.tile import REPOSITORY, session, tile
from histoserve.benchmark.turns import median_seconds
from histoserve.client.travel.encode import encode, encoding_from_text
from histoserve.client.wire import Arrays, Server
from histoserve.deploy.local.triton import LocalTriton

TARGET = 0.9
BATCH, IN_FLIGHT, REQUESTS, TURNS = 4, 4, 4, 5
TIMEOUT_S = 120.0


def run(image: Path | None = None) -> int:
    """Prints tiles/s of the bare loop, the served network and the served pipeline; 1 if the network is under TARGET.

    The pipeline also decodes tiles and finds nuclei, which the loop does not: its ratio is what that costs.

    All work on the same tiles in batches of `BATCH`, in turns; the server has `IN_FLIGHT` requests at a time.
    """
    with LocalTriton(REPOSITORY, models=["nuclei_tiles", "nuclei_slide"]) as triton:
        server = Server(triton.grpc)
        contract = server.contract("nuclei")
        side = contract.tile_px
        tiles = tile(image, side)[None].repeat(BATCH, 0)
        bare = session()
        names = ("bare ONNX Runtime loop", "served network: nuclei_network", "served pipeline: nuclei_tiles")
        seconds = median_seconds(
            (
                lambda: [bare.run(["MAPS"], {"IMAGE": tiles}) for _ in range(REQUESTS)],
                requests(server, "nuclei_network", {"IMAGE": tiles}),
                requests(server, "nuclei_tiles", pipeline_request(tiles, contract.mpp)),
            ),
            TURNS,
        )
    table = Table("what", "tiles/s", "ratio", "target")
    table.title = f"{REQUESTS} × {BATCH} tiles of {side} × {side} px, medians of {TURNS} turns"
    ratios = [seconds[0] / taken for taken in seconds]
    for number, (name, taken, ratio) in enumerate(zip(names, seconds, ratios, strict=True)):
        table.add_row(name, f"{REQUESTS * BATCH / taken:.1f}", f"{ratio:.2f}", f"≥ {TARGET}" if number == 1 else "")
    Console().print(table)
    return 0 if ratios[1] >= TARGET else 1


def pipeline_request(tiles: np.ndarray, mpp: float) -> Arrays:
    """The same tiles, of `mpp` µm/px, as a client sends them."""
    height, width = tiles.shape[1:3]
    whole = np.array([[0, 0, width, height]], np.float32).repeat(len(tiles), 0)
    tile = [encode(each, encoding_from_text("raw")) for each in tiles]
    return {"TILE": tile, "REGION": whole, "WINDOW": whole, "MPP": np.array([mpp], np.float32), "CORE": whole}


def requests(server: Server, model: str, arrays: Arrays) -> Callable[[], object]:
    def send_all() -> object:
        with ThreadPoolExecutor(IN_FLIGHT) as pool:
            return list(pool.map(lambda _: server.infer(model, arrays, TIMEOUT_S), range(REQUESTS)))

    return send_all
