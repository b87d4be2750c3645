"""What the served networks found, on the page: a phantom, a real slide's region, and a smear with its places."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import openslide
import pytest
from client.view.browser.conftest import viewing
from client.view.browser.looking import canvas, rest, settle, share_of

from histoserve.client.results.palette import PALETTE
from histoserve.deploy.local.triton import LocalTriton
from histoserve.phantom import write_phantom

PART = (900, 900, 700, 600)
"""Of the real slide: x, y, width, height."""


@pytest.fixture(scope="module")
def real_page(
    server: LocalTriton, histoserve: Callable[..., Any], phantom: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Of slides 0, a phantom, and 1, a smear."""
    slides, out = tmp_path_factory.mktemp("slides"), tmp_path_factory.mktemp("out")
    (slides / "he.tiff").symlink_to(phantom)
    write_phantom(slides / "smear.tiff", kind="cytology", size=(2048, 2048), mpp=0.25, seed=1, truth=None)
    for name, pipeline in (("he", "nuclei"), ("smear", "peakmap")):
        order = ("analyze", slides / f"{name}.tiff", "--pipeline", pipeline, "-o", out, "--server", server.grpc)
        assert histoserve(*order)[0] == 0
    with viewing(out, "--slide", slides, "--cache", slides) as address:
        yield address


def test_nuclei_are_outlined_and_counted(real_page: str, opened: Callable[..., Any], keep: Any) -> None:
    page = opened(f"{real_page}s/0/")
    drawn = canvas(page)
    keep(page, "real-nuclei")
    counts = [int(each.replace(",", "")) for each in page.locator(".legend .count").all_inner_texts()]

    assert sum(counts) > 50
    shown = [share_of(drawn, colour, 40) > 1e-4 for colour in PALETTE[: len(counts)]]
    assert shown == [count > 3 for count in counts]


def test_each_place_of_a_smear_is_centred_in_turn(real_page: str, opened: Callable[..., Any], keep: Any) -> None:
    page = opened(f"{real_page}s/1/?for=patient")
    settle(page)
    places = page.get_by_role("table").get_by_role("button")
    count = places.count()
    assert count > 2
    for number in range(1, count + 1):
        page.keyboard.press("n")
        page.locator("[aria-live]").get_by_text(f"Place {number} of {count}:").wait_for()
    rest(page)
    keep(page, "real-smear-patient")
    assert page.locator("tr[aria-current]").inner_text().startswith(f"Place {count}")


def test_a_patient_reads_no_class_of_the_smear(real_page: str, opened: Callable[..., Any]) -> None:
    page = opened(f"{real_page}s/1/?for=patient")
    settle(page)
    words = page.locator("body").inner_text().lower().replace("histoserve 0.1.0", "")
    for word in ("ascus", "asc-us", "lsil", "hsil", "grade", "negative", "probability", "0."):
        assert word not in words


@pytest.fixture
def region(shared: Path, tmp_path: Path) -> Path:
    """A piece of a real slide."""
    x, y, width, height = PART
    with openslide.OpenSlide(shared / "slides" / "CMU-1-Small-Region.svs") as slide:
        slide.read_region((x, y), 0, (width, height)).convert("RGB").save(tmp_path / "region.png")
    return tmp_path / "region.png"


def test_a_real_slide_is_drawn_where_it_is(
    region: Path, server: LocalTriton, histoserve: Callable[..., Any], opened: Callable[..., Any], keep: Any
) -> None:
    out = region.parent / "out"
    order = ("analyze", region, "--mpp", 0.499, "--pipeline", "nuclei", "-o", out)
    assert histoserve(*order, "--server", server.grpc)[0] == 0
    with viewing(out, "--slide", region, "--cache", out) as address:
        page = opened(f"{address}s/0/#at=350,300,1,0&show=0/0:-100;0/not-seen:-100")
        drawn = canvas(page)
        keep(page, "real-region")
    left, top = drawn.shape[1] // 2 - 350, drawn.shape[0] // 2 - 300
    part = cv2.imread(str(region))[8:-8, 8:-8, ::-1].astype(int)

    def off_by(x: int, y: int) -> float:
        shown = drawn[top + 8 + y :, left + 8 + x :][: part.shape[0], : part.shape[1]]
        return float(np.abs(shown - part).mean())

    # JPEG loses something of real tissue; a pixel's shift loses much more.
    assert off_by(0, 0) < 0.6 * min(off_by(1, 0), off_by(0, 1), off_by(-1, 0), off_by(0, -1))
