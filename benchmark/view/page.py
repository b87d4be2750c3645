"""One process that opens a result's layers and draws tiles as the page asks for them; prints what it took, as JSON.

python -m histoserve.benchmark.view.page RESULT CACHE TILES
"""

import json
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from histoserve.benchmark.view.nuclei import PIPELINE, SIDE_PX
from histoserve.client.results.layers_json import LAYERS, read_layers
from histoserve.client.view.layers.drawn import DrawnLayer, open_layers
from histoserve.client.view.layers.tile import TILE_PX, page_size

ZOOMS = range(6)
AT_ONCE = 4


def main(folder: Path, cache: Path, tiles: int) -> dict[str, object]:
    """Seconds to open, milliseconds of `tiles` tiles at each zoom, of both also those of the processor; MiB at most."""
    size = SIDE_PX, SIDE_PX
    start, worked = time.perf_counter(), time.process_time()
    layer = open_layers(read_layers(folder / LAYERS), folder, PIPELINE, size, cache, lambda words, share: None)["0"]
    opened = time.perf_counter() - start, time.process_time() - worked
    drawn = {z: milliseconds(layer, z, tiles) for z in ZOOMS}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": opened, "tiles": drawn, "peak": peak}


def milliseconds(layer: DrawnLayer, z: int, tiles: int) -> list[tuple[float, float]]:
    """Of tiles anywhere on the page, each from its request to its answer, with AT_ONCE requests at a time."""
    columns = -(-page_size((SIDE_PX, SIDE_PX), z)[0] // TILE_PX)
    places = np.random.default_rng(z).integers(0, columns, (tiles, 2)).tolist()

    def one(place: list[int]) -> tuple[float, float]:
        start, worked = time.perf_counter(), time.thread_time()
        layer.tile(z, place[0], place[1], None, None)
        return (time.perf_counter() - start) * 1e3, (time.thread_time() - worked) * 1e3

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, places))


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))))
