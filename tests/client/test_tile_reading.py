"""Reading a stained tile that is in memory, as the training of others does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from histoserve.client.contract import Contract
from histoserve.client.errors import ServerError, SlideError, WrongUsage
from histoserve.client.tile_reading import Reading, read_tile, reading_pipeline

TYPES = "tumour negative,tumour positive,other negative,other positive"
"""Dark discs are of type 1, lighter ones of type 2."""


@pytest.fixture
def read(disc_wire: type, contract: Callable[..., Contract]) -> Callable[..., Reading]:
    """Discs as cells, all of them tumour cells in the region; `least` of them are wanted for one."""
    settings = Contract(**{**vars(contract(types=TYPES)), "pipeline": reading_pipeline()})

    class IhcWire(disc_wire):  # type: ignore[misc]
        least = 1

        def infer(self, model: str, arrays: Any) -> Any:
            if not model.endswith("_slide"):
                return super().infer(model, arrays)
            keep = super().infer("nuclei_slide", arrays)["KEEP"]
            counted = keep & (keep.sum() >= self.least)
            positive = int((counted & (arrays["TYPE"] == 2)).sum())
            side = 1000 / float(arrays["MPP"][0])
            region = np.array([[0, 0, side, side]] if counted.any() else np.empty((0, 4)), np.float32)
            count = np.array([positive, int(counted.sum()) - positive], np.int32)
            return {"KEEP": keep, "COUNTED": counted, "COUNT": count, "REGION": region}

    def read(picture: Any, mpp: float = 0.25, least: int = 1) -> Reading:
        wire = IhcWire(settings=settings)
        wire.least = least
        return read_tile(wire, reading_pipeline(), picture, mpp)

    return read


@pytest.fixture
def discs(slide_path: Path) -> Any:
    """RGB (220, 300, 3), 108 discs, blue as haematoxylin: of a tile without colours nothing is read."""
    tile = cv2.imread(str(slide_path))[..., ::-1].copy()
    tile[tile[..., 1] < 180, 2] += 60
    return tile


def counted(picture: Any) -> tuple[int, int]:
    """Lighter and dark discs."""
    return tuple(cv2.connectedComponents((picture[..., 1] == grey).astype(np.uint8))[0] - 1 for grey in (140, 60))


@pytest.mark.parametrize("size", [(220, 300), (97, 200), (64, 64), (30, 40)])
def test_every_cell_counts_once_whatever_the_tiles_size(
    read: Callable[..., Reading], discs: Any, size: tuple[int, int]
) -> None:
    picture = np.ascontiguousarray(discs[: size[0], : size[1]])
    reading = read(picture)

    positive, negative = counted(picture)
    assert (reading.positive, reading.negative) == (positive, negative)
    assert reading.ratio == positive / (positive + negative)
    assert reading.region_mm2 == pytest.approx(1, abs=1e-5)
    assert read(picture) == reading


def test_a_tile_without_tumour_has_no_reading(read: Callable[..., Reading], discs: Any) -> None:
    reading = read(np.full((100, 100, 3), 240, np.uint8))
    assert (reading.positive, reading.negative, reading.region_mm2) == (0, 0, 0)
    assert np.isnan(reading.ratio)
    assert np.isnan(read(discs, least=1000).ratio)


def test_what_is_no_tile_is_refused_in_words(read: Callable[..., Reading], discs: Any) -> None:
    for wrong in (np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3)), np.zeros((0, 9, 3), np.uint8)):
        with pytest.raises(SlideError, match="wanted RGB, uint8"):
            read(wrong)
    for mpp in (0, -1, float("nan"), 500):
        with pytest.raises(WrongUsage, match="implausible"):
            read(discs, mpp)
    with pytest.raises(SlideError, match=r"trained at 0\.25"):
        read(discs, 0.6)


def test_without_a_pipeline_that_reads_tiles_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("histoserve.client.tile_reading.rooms", lambda floor, module: {})
    with pytest.raises(ServerError, match="has none"):
        reading_pipeline()
