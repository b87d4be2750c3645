"""The closed loop, whole: hours. With options: python -m histoserve.benchmark.biomarker.loop --help"""

from pathlib import Path

from histoserve.benchmark.biomarker import loop
from histoserve.export.repository import INSTALLED


def run(image: Path | None = None) -> int:
    """Goes on in out/biomarker-loop; 1 if a marker misses its target. ValueError for an image."""
    if image is not None:
        raise ValueError("bench biomarker draws its own slides: leave out --image")
    return loop.main(["-o", "out/biomarker-loop", "--models", str(INSTALLED)])
