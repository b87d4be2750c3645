"""A slide that is handed over while it is scanned gives what its file gives: in any order, with repeats and rescans."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from histoserve.client.contract import Contract
from histoserve.client.session import Session
from histoserve.client.slide import open_slide
from histoserve.client.travel.scan import Scan
from histoserve.client.travel.stored import Lattice
from histoserve.client.work import Work, work_for
from histoserve.ensemble.decode import decode

SIDE, SIZE = 48, (300, 220)
LIMITS = {"identity": 0, "max_windows": 512, "max_tiles": 512, "max_pixels": 2**26}


def cut(image: Any) -> dict[tuple[int, int], bytes]:
    """Stored tiles by their places, the last ones padded by something that is not the slide's."""
    height, width = image.shape[:2]
    padded = np.full((-(-height // SIDE) * SIDE, -(-width // SIDE) * SIDE, 3), 30, np.uint8)
    padded[:height, :width] = image
    quality = [cv2.IMWRITE_JPEG_QUALITY, 98, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return {
        (x // SIDE, y // SIDE): cv2.imencode(".jpg", padded[y : y + SIDE, x : x + SIDE, ::-1], quality)[1].tobytes()
        for y in range(0, height, SIDE)
        for x in range(0, width, SIDE)
    }


@pytest.fixture
def wire(disc_wire: type) -> type:
    """Finds discs in windows as the decoding stage puts them together."""

    class Windows(disc_wire):  # type: ignore[misc]
        def infer(self, model: str, arrays: Any) -> Any:
            if "TILE" not in arrays:
                return super().infer(model, arrays)
            tiles = np.array([*arrays["TILE"], b""], object)[:-1]
            windows = decode(tiles, arrays["REGION"], arrays["WINDOW"], arrays["MPP"], tile_px=64, **LIMITS)["IMAGE"]
            shown = [cv2.imencode(".png", window[..., ::-1])[1].tobytes() for window in windows]
            return super().infer(model, {**arrays, "TILE": shown, "REGION": arrays["WINDOW"]})

    return Windows


@pytest.fixture
def work(contract: Callable[..., Contract]) -> Work:
    return work_for(contract(), 0.25, SIZE)


@pytest.fixture
def image(slide_path: Path) -> Any:
    with open_slide(slide_path) as slide:
        return slide.read((0, 0, *SIZE), 0)


def scanned(wire: Any, work: Work, handed: list[tuple[tuple[int, int], bytes]]) -> tuple[dict[str, Any], Any]:
    with Session(wire, work) as session, Scan(session, Lattice(SIZE, (SIDE, SIDE))) as scan:
        for place, jpeg in handed:
            scan.hand_over(place, jpeg)
        result = scan.finish()
        assert scan.missing() == []
        assert len(session.answered) == len(work.tiles)
        return result, list(session.rows.layers())


@pytest.mark.parametrize("seed", range(4))
def test_the_order_repeats_and_a_rescan_do_not_show(wire: type, work: Work, image: Any, seed: int) -> None:
    tiles = list(cut(image).items())
    whole, _ = scanned(wire(), work, tiles)
    assert whole["nuclei"]["count"] > 50

    chance = random.Random(seed)
    blurred = cut(cv2.GaussianBlur(image, (0, 0), 6))
    strip = chance.randrange(5)
    first = [(place, blurred[place] if place[1] == strip else jpeg) for place, jpeg in tiles]
    late = [each for each in tiles if each[0][1] == strip]
    if seed % 2:
        chance.shuffle(first)
    repeats = chance.sample(tiles, 9)
    again = [each for each in repeats if each[0][1] != strip]
    one, _ = scanned(wire(), work, [*first, *again, *late, *late])
    assert one == whole


def test_an_earlier_picture_leaves_nothing_behind(wire: type, work: Work, image: Any) -> None:
    empty = cut(np.full_like(image, 240))
    full = cut(image)
    nothing, _ = scanned(wire(), work, [*full.items(), *empty.items()])
    assert nothing["nuclei"]["count"] == 0
    everything, _ = scanned(wire(), work, [*empty.items(), *full.items()])
    assert everything == scanned(wire(), work, list(full.items()))[0]


def test_what_never_comes_has_no_share_and_is_named(wire: type, work: Work, image: Any) -> None:
    with Session(wire(), work) as session, Scan(session, Lattice(SIZE, (SIDE, SIDE))) as scan:
        for place, jpeg in cut(image).items():
            if place != (2, 1):
                scan.hand_over(place, jpeg)
        scan.finish()
        assert scan.missing() == [(2, 1)]
        missing = session.missing()
    lattice = Lattice(SIZE, (SIDE, SIDE))
    assert missing == [tile for tile in work.tiles if (2, 1) in lattice.places_in(tile.region)]


def test_a_place_that_is_none_is_refused(wire: type, work: Work) -> None:
    with Session(wire(), work) as session, Scan(session, Lattice(SIZE, (SIDE, SIDE))) as scan:
        for place in ((-1, 0), (7, 0), (0, 5)):
            with pytest.raises(ValueError, match=r"none of 7 × 5"):
                scan.hand_over(place, b"")


def test_a_slide_smaller_than_a_window_is_white_beyond_its_end(
    wire: type, contract: Callable[..., Contract], image: Any
) -> None:
    size = (50, 40)
    part = np.ascontiguousarray(image[: size[1], : size[0]])
    work = work_for(contract(), 0.25, size)
    seen = []

    class Watching(wire):  # type: ignore[misc]
        def infer(self, model: str, arrays: Any) -> Any:
            if "TILE" in arrays:
                tiles = np.array([*arrays["TILE"], b""], object)[:-1]
                seen.append(
                    decode(tiles, arrays["REGION"], arrays["WINDOW"], arrays["MPP"], tile_px=64, **LIMITS)["IMAGE"]
                )
            return super().infer(model, arrays)

    with Session(Watching(), work) as session, Scan(session, Lattice(size, (SIDE, SIDE))) as scan:
        for place, jpeg in cut(part).items():
            scan.hand_over(place, jpeg)
        scan.finish()
    window = seen[0][0]
    assert (window[size[1] :] == 255).all()
    assert (window[:, size[0] :] == 255).all()
    assert np.abs(window[: size[1], : size[0]].astype(int) - part).max() < 20


def test_a_window_goes_out_as_soon_as_its_tiles_are_there_where_servers_are_idle(
    wire: type, work: Work, image: Any
) -> None:
    lattice, tiles = Lattice(SIZE, (SIDE, SIDE)), cut(image)
    first = list(lattice.places_in(work.tiles[0].region))
    with Session(wire(), work) as session, Scan(session, lattice) as scan:
        for place in first:
            scan.hand_over(place, tiles[place])
        session.drain()
        whole = [tile for tile in work.tiles if set(lattice.places_in(tile.region)) <= set(first)]
        assert session.answered == whole
        assert scan.partial()["nuclei"]["count"] > 0
