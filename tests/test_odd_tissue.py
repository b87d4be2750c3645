"""Where tissue is sought, from a slide's file to its nuclei through a real server: glass of any size, what surrounds a
scan, and a level that cannot be read."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from histoserve.client.analyze import Order, analyze
from histoserve.client.connect import connect
from histoserve.deploy.local.triton import LocalTriton
from histoserve.phantom.he.slide import HeSlide
from histoserve.phantom.tiff import TiffWriter

Image = NDArray[np.uint8]
GLASS, MPP, TILE = 242, 0.25, 256
NOTHING_ELSE = {"unread_mm2": 0.0, "surround_mm2": 0.0}


class Silent:
    def phase(self, text: str) -> None: ...

    def say(self, text: str) -> None: ...

    def planned(self, tiles: int) -> None: ...

    def done(self, tiles: int) -> None: ...


def result_of(path: Path, server: LocalTriton) -> dict[str, Any]:
    order = Order(path, "nuclei", path.with_suffix(""))
    return analyze(order, lambda: connect([server.grpc], ["nuclei"], 120), Silent()).result


def jpeg(tile: Image) -> bytes:
    options = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return cv2.imencode(".jpg", tile[..., ::-1], options)[1].tobytes()


def tiles_of(image: Image) -> Iterable[bytes]:
    height, width = image.shape[:2]
    padded = np.pad(image, ((0, -height % TILE), (0, -width % TILE), (0, 0)), mode="edge")
    for y in range(0, height, TILE):
        for x in range(0, width, TILE):
            yield jpeg(padded[y : y + TILE, x : x + TILE])


def write(path: Path, *levels: tuple[tuple[int, int], Iterable[bytes]]) -> Path:
    """Levels of (width, height) and JPEG tiles, each half as large as the one before."""
    with path.open("wb") as file:
        tiff = TiffWriter(file, is_big=False)
        for number, (size, tiles) in enumerate(levels):
            tiff.add_level(size, TILE, MPP * 2**number, tiles, is_reduced=number > 0)
    return path


@pytest.fixture(scope="module")
def scan() -> Image:
    """The phantom of 1200 x 1000 px and seed 3."""
    return HeSlide((1200, 1000), MPP, 3).draw((0, 0, 1200, 1000))


def canvas(width: int, height: int, grey: int, scan: Image, x: int, y: int) -> Image:
    image = np.full((height, width, 3), grey, np.uint8)
    image[y : y + 1000, x : x + 1200] = scan
    return image


@pytest.mark.parametrize("width", [3072, 119808])
def test_lone_nuclei_are_found_on_any_length_of_glass(server: LocalTriton, tmp_path: Path, width: int) -> None:
    glass = np.full((TILE, TILE, 3), GLASS, np.uint8)
    cell = cv2.circle(glass.copy(), (124, 124), 14, (92, 66, 140), cv2.FILLED, cv2.LINE_AA)
    bare, celled = jpeg(glass), jpeg(cell)
    tiles = [celled if x < 4 and y < 3 else bare for y in range(8) for x in range(width // TILE)]

    result = result_of(write(tmp_path / "lone.tif", ((width, 2048), tiles)), server)

    assert result["result"]["nuclei"]["count"] == 12
    # A cell of 38 µm² lights up four squares of 16 µm² there.
    assert result["tissue"]["tissue_mm2"] == pytest.approx(12 * 64e-6)


def test_what_surrounds_a_scan_does_not_change_the_density(server: LocalTriton, tmp_path: Path, scan: Image) -> None:
    def density(grey: int) -> float:
        tiles = tiles_of(canvas(2000, 1800, grey, scan, 400, 400))
        result = result_of(write(tmp_path / f"{grey}.tif", ((2000, 1800), tiles)), server)["result"]
        return float(result["nuclei"]["per_mm2"])

    glass = density(GLASS)

    # 270 nuclei on 0.0511 mm² of the phantom alone; in a black edge itself the network sees up to five.
    assert glass == pytest.approx(270 / 0.0511, rel=0.05)
    assert density(190) == pytest.approx(glass, rel=0.02)
    assert density(0) == pytest.approx(glass, rel=0.02)


def test_a_damaged_level_changes_neither_nuclei_nor_tissue(server: LocalTriton, tmp_path: Path, scan: Image) -> None:
    image = canvas(5000, 1300, GLASS, scan, 3700, 200)
    half = cv2.resize(image, (2500, 650), interpolation=cv2.INTER_AREA).astype(np.uint8)
    tiles = list(tiles_of(half))
    tiles[5] = bytes(len(tiles[5]))

    result = result_of(write(tmp_path / "damaged.tif", ((5000, 1300), tiles_of(image)), ((2500, 650), tiles)), server)

    # Where tiles begin decides a few nuclei: 270 in the same scan without glass around it.
    assert result["result"]["nuclei"]["count"] == pytest.approx(270, abs=4)
    assert result["tissue"] == {"mask_mpp": 4.0, "tissue_mm2": pytest.approx(0.0511, rel=0.02), **NOTHING_ELSE}
    assert result["tiles"]["failed"] == []
