"""How many tumour cells of a stained tile are positive (CN114387243A [0126-0132]), for whoever has the tile as pixels.

picture (h, w, 3), µm/px ─▶ session ⇢ the pipeline that reads such tiles ─▶ result ─▶ Reading

    with tile_reader(["localhost:8001"]) as read:
        reading = read(picture, 0.3)

A pipeline reads tiles if its room has `tile_reader.py` with `check_stain` and `reading_of`; no other file knows it.
"""

import importlib
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from histoserve.client.access import PLAIN, Access
from histoserve.client.connect import Wire, connect
from histoserve.client.errors import ServerError, SlideError
from histoserve.client.formats.plain import PlainImage
from histoserve.client.resolution import check_network, resolve
from histoserve.client.rooms import rooms
from histoserve.client.session import Session
from histoserve.client.slide import RGB
from histoserve.client.travel.encode import Encoding, encode
from histoserve.client.travel.reading import Pixels, read_into
from histoserve.client.work import work_for

FLOOR, MODULE = "histoserve.client.pipelines", "tile_reader"
DEADLINE = 300.0
"""Seconds until an unanswered request ends the reading."""


@dataclass(frozen=True)
class Reading:
    """Of one tile, or of a whole slide."""

    positive: int
    """Tumour cells in the lesion region that are stained."""
    negative: int
    """Those that are not."""
    region_mm2: float
    """Of the lesion region; 0 for a tile without tumour."""

    @property
    def ratio(self) -> float:
        """positive ÷ (positive + negative), 0 to 1; NaN, not 0, for a tile without tumour."""
        cells = self.positive + self.negative
        return self.positive / cells if cells else math.nan


ReadTile = Callable[[RGB, float], Reading]
"""Picture uint8 (h, w, 3) and its µm/px → Reading; raises SlideError for a picture that is none, or H&E."""


@contextmanager
def tile_reader(
    addresses: Sequence[str] = (), deadline: float = DEADLINE, access: Access = PLAIN
) -> Iterator[ReadTile]:
    """Asks the servers at `addresses`; without any, one that is started here. Raises as `connect`."""
    pipeline = reading_pipeline()
    with connect(addresses, [pipeline], deadline, access=access) as servers:
        yield partial(read_tile, servers, pipeline)


def reading_pipeline() -> str:
    """The pipeline that reads tiles; ServerError unless there is one."""
    found = list(rooms(FLOOR, MODULE))
    if len(found) != 1:
        raise ServerError(
            f"One pipeline that reads stained tiles is wanted, this installation has {', '.join(found) or 'none'}: "
            "install one version of histoserve."
        )
    return found[0]


def read_tile(wire: Wire, pipeline: str, picture: RGB, mpp: float) -> Reading:
    """By the servers of `wire`; all of the picture is looked at. As ReadTile."""
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != "uint8" or not picture.size:
        raise SlideError(f"A tile is {picture.dtype} {list(picture.shape)}; wanted RGB, uint8 [height, width, 3].")
    contract, mpp = wire.contract(pipeline), resolve("the tile", mpp, None, None).mpp
    check_network("the tile", mpp, contract.mpp)
    room = importlib.import_module(f"{FLOOR}.{pipeline}.{MODULE}")
    room.check_stain("The tile", picture)
    image = PlainImage(Path("tile"), picture)
    work = work_for(contract, mpp, image.l0_size)
    with Session(wire, work) as session:
        read_into(session, Pixels(lambda tile: encode(image.read(tile.region, 0), Encoding())))
        result = session.finish()
        if session.failed:
            raise SlideError(f"Part of a tile could not be read: {session.failed[0].reason}")
    reading: Reading = room.reading_of(result)
    return reading
