"""What a test sees of a page: the pixels that are drawn, once all of them are."""

import base64
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

LOADED = "() => [...document.querySelectorAll('[data-part=picture]')].every((each) => each.dataset.loaded === 'yes')"
FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 30))))"

SIZE = "() => ['width', 'height'].map((side) => document.querySelector('.openseadragon-canvas > canvas')[side])"


def settle(page: Any) -> None:
    """Waits until the page is ready and all tiles of what is seen have come."""
    page.wait_for_selector("body[data-state=ready]")
    page.evaluate(FRAMES)
    page.wait_for_function(LOADED)
    page.evaluate(FRAMES)


def canvas(page: Any, number: int = 0) -> NDArray[np.uint8]:
    """(H, W, 3) of slide and layers as drawn, without marks, in RGB; over white."""
    settle(page)
    text = page.evaluate(f"() => document.querySelectorAll('.openseadragon-canvas > canvas')[{number}].toDataURL()")
    pixels = cv2.imdecode(np.frombuffer(base64.b64decode(text.split(",")[1]), np.uint8), cv2.IMREAD_UNCHANGED)
    opacity = pixels[..., 3:] / 255
    return (pixels[..., 2::-1] * opacity + 255 * (1 - opacity)).round().astype(np.uint8)


def place(page: Any) -> tuple[float, float, float, float]:
    """Centre x and y in level-0 px, level-0 px per page px, degrees, as the address says."""
    x, y, scale, turn = map(float, page.url.partition("#at=")[2].partition("&")[0].split(","))
    return x, y, scale, turn


def rest(page: Any) -> None:
    """Until the page has written into the address where it is, a quarter of a second after the frame that showed it."""
    page.evaluate(FRAMES.replace("30", "400"))


def where(page: Any, l0_x: float, l0_y: float) -> tuple[float, float]:
    """Of a level-0 place, in px of the canvas, by the address alone; for views that are not turned."""
    x, y, scale, _ = place(page)
    width, height = page.evaluate(SIZE)
    return (l0_x - x) / scale + width / 2, (l0_y - y) / scale + height / 2


def share_of(image: NDArray[np.uint8], colour: tuple[int, int, int], within: int = 90) -> float:
    """Of its pixels, how many are about of this colour, as the rim of a line is; tissue has none of the palette's."""
    return float((np.abs(image.astype(int) - colour).max(axis=2) <= within).mean())
