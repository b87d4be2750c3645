"""As what a plan's tiles travel: the JPEGs that the slide holds, or pixels."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from histoserve.client.grid import PlannedTile
from histoserve.client.plan import Plan
from histoserve.client.travel.encode import Encoding, encode
from histoserve.client.travel.reading import Pixels, Reader
from histoserve.client.travel.stored import StoredTiles
from histoserve.client.travel.stored_reader import Stored


@dataclass(frozen=True)
class Travelling:
    """How it was decided."""

    encoding: Encoding
    """`stored` only where the slide's tiles are what OpenSlide shows."""
    reader: Reader
    why: str | None = None
    """Why its stored tiles do not travel, though it has some."""

    def told(self) -> str | None:
        """What did not travel as it is stored, and why, in words; to be asked when all was read."""
        return self.reader.told() if isinstance(self.reader, Stored) else self.why


@contextmanager
def travelling(plan: Plan, encoding: Encoding) -> Iterator[Travelling]:
    """What `encoding` asks for, as far as the slide allows it; to be left when nothing is read any more."""

    def read(tile: PlannedTile) -> bytes:
        pixels = plan.picture.slide.read(tile.region, plan.level)
        plan.tissue.learn(tile.core, tile.region, pixels)
        return encode(pixels, encoding)

    stored = _stored(plan) if encoding.name == "stored" else None
    if stored is None:
        yield Travelling(Encoding("raw") if encoding.name == "stored" else encoding, Pixels(read))
        return
    try:
        yield _exactly(plan, stored, Pixels(read))
    finally:
        stored.close()


def _exactly(plan: Plan, stored: StoredTiles, pixels: Pixels) -> Travelling:
    reader = Stored(plan.picture.slide, plan.level, stored, pixels, plan.stored_batch, plan.tissue.is_known)
    if (why := reader.difference(plan.work.tiles)) is None:
        return Travelling(Encoding("stored"), reader)
    return Travelling(Encoding("raw"), pixels, f"Pixels were sent, not the JPEGs that the slide holds: {why}.")


def _stored(plan: Plan) -> StoredTiles | None:
    slide, tiles = plan.picture.slide, plan.work.tiles
    stored = slide.stored(plan.level) if tiles else None
    if stored and not any(stored.lattice.inside(tile.region) for tile in tiles):
        stored.close()
        return None
    return stored
