"""Slides and results of pipelines that there are not: every kind of layer, with places that a test knows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.resolution import Resolution
from histoserve.client.results.files import Findings, write_files
from histoserve.client.results.layers import Arrows, Card, Cards, Class, Grid, Layer, Shape, Shapes
from histoserve.client.results.pictures.overview import Seen
from histoserve.client.results.result_json import describe_slide, write_result
from histoserve.client.results.source import source_of
from histoserve.client.slide import open_slide

YELLOW, MINT = (255, 240, 0), (0, 230, 170)
RADIUS = 40
CIRCLES = [(60 + 290 * i + 37 * j, 60 + 260 * j) for j in range(4) for i in range(5)]
"""Centres: some on borders of tiles (512), the last ones near the slide's right and lower border."""
CELL = 200
CARDS = [(100, 100, 200, 150), (600, 300, 200, 200), (900, 700, 300, 200), (1100, 100, 100, 100)]
"""Regions, worst first."""
FAILED = (1200, 800, 200, 200)


def circle(x: float, y: float, radius: float = RADIUS) -> NDArray[np.float32]:
    """64 points of its outline."""
    turn = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    return np.stack([x + radius * np.cos(turn), y + radius * np.sin(turn)], 1).astype(np.float32)


def all_kinds() -> list[Layer]:
    """One layer of each."""
    odd = {3, 9}
    kinds = [Class("severe_dysplasia", YELLOW, len(CIRCLES) - len(odd)), Class("benign", MINT, len(odd))]
    each = [Shape(circle(*place), int(i in odd), {"Score": 0.873}) for i, place in enumerate(CIRCLES)]
    warmth = Grid(
        "Dysplasia probability", (np.arange(48, dtype=np.float32) / 47).reshape(6, 8), (0, 0, CELL, CELL), (0, 1), "%"
    )
    ends = np.array([(300, 900), (500, 900)], np.float32)
    places = [
        Card(np.array(c, np.float32), n + 1, n % 2, f"dysplasia {n + 1}", {"Score": 0.9 - n / 10})
        for n, c in enumerate(CARDS)
    ]
    return [
        warmth,
        Shapes(kinds, lambda: iter(each)),
        Arrows("Invasion", ends, ends + 150, (0, 110, 255)),
        Cards("places", "Dysplasia is likely here.", kinds, places),
    ]


def write(out: Path, slide_path: Path, layers: Sequence[Layer], mpp: float | None, pipeline: str = "made_up") -> None:
    """The result of a slide in OUT, as `analyze` leaves one; a tile of it failed."""
    folder = out / slide_path.stem / pipeline
    folder.mkdir(parents=True)
    with open_slide(slide_path) as slide:
        width, height = slide.l0_size
        said = describe_slide(slide, Resolution(mpp or 1.0, "slide" if slide.stated_mpp else "--mpp"), 0)
        whole = slide.read((0, 0, width, height), 0)
        tissue = np.ones((height // 50 + 1, width // 50 + 1), np.bool_)
        seen = Seen(whole, width, mpp or 1.0, tissue, 50, [(0, 0, width * 3 // 4, height)], [FAILED])
        words = "severe dysplasia (probability 0.870)"
        write_files(folder.joinpath, slide, seen, Findings(pipeline, words, layers))
    content: dict[str, Any] = {
        "schema": 1, "histoserve": "0.1.0", "finished": "2026-11-26T20:17:28+00:00",
        "slide": {**said, **source_of(slide_path).described(), "mpp": mpp},
        "pipeline": {"name": pipeline, "network": 7, "models": [{"name": "a_network", "version": "1", "sha256": "ab"}]},
        "tiles": {"planned": 40, "failed": [{"index": 2}]},
        "result": {"class": "severe_dysplasia", "probability": {"severe_dysplasia": 0.87}, "tissue_mm2": 0.12},
    }  # fmt: skip
    write_result(folder / "result.json", content)


def write_scan(path: Path) -> None:
    """A picture without µm/px."""
    ramp = np.linspace(60, 220, 700, dtype=np.uint8)
    cv2.imwrite(str(path), np.dstack([np.tile(ramp, (500, 1))] * 3))
