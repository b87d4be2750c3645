"""How evenly a browser draws while somebody moves over a million nuclei; None where there is no browser."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MOVES = ["ArrowRight", "ArrowDown", "+", "ArrowLeft", "ArrowDown", "+", "ArrowRight", "-"] * 5
"""Keys, forty of them: pans and zooms in and out again."""
BETWEEN_MS = 400
"""From one to the next: a reader's pace, while the last move is still under way."""
FAR_TO_NEAR = 7
"""Steps of zoom from the whole slide to where outlines are drawn, at about 1:4."""
READY_MS = 300_000

RECORD = """() => {
  window.frames_at = [];
  const frame = (now) => { window.frames_at.push(now); requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
}"""
GAPS = "() => window.frames_at.slice(1).map((now, index) => now - window.frames_at[index])"


def longest_gaps(result: Path, cache: Path) -> list[float] | None:
    """Milliseconds between frames, the longest first."""
    chromium = shutil.which("chromium")
    if chromium is None:
        return None
    # A tool of the tests, that the page itself does not need.
    from playwright.sync_api import sync_playwright

    with served(result, cache) as address, sync_playwright() as playwright:
        options = ["--no-sandbox"] if os.getuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=chromium, args=options)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(f"{address}s/0/")
        wait_until_ready(page)
        page.focus(".openseadragon-canvas")
        for _ in range(FAR_TO_NEAR):
            page.keyboard.press("+")
        page.wait_for_timeout(2000)
        page.evaluate(RECORD)
        for key in MOVES:
            page.keyboard.press(key)
            page.wait_for_timeout(BETWEEN_MS)
        gaps: list[float] = page.evaluate(GAPS)
        browser.close()
    return sorted(gaps, reverse=True)


def wait_until_ready(page: Any) -> None:
    """Until the page says that it has the layers."""
    ready = "() => fetch('description.json').then((a) => a.json()).then((d) => d.results.every((r) => r.ready))"
    page.wait_for_function(ready, timeout=READY_MS, polling=500)


@contextmanager
def served(result: Path, cache: Path) -> Iterator[str]:
    """The address of `histoserve view`."""
    command = [sys.executable, "-m", "histoserve", "view", str(result), "--cache", str(cache)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield next(filter(None, (re.search(r"http://\S+/", line) for line in process.stdout)))[0]
        finally:
            process.send_signal(signal.SIGINT)
