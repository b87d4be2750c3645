"""A real browser before the real page."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest
from client.view.browser import made_up
from client.view.browser.looking import settle

from histoserve.phantom import write_phantom

ROOT = Path(__file__).parents[4]
PICTURES = ROOT / "out" / "page"
"""Of every state that is checked, to be looked at."""
AXE = "axe-core@4.14.1"


def missing(what: str) -> NoReturn:
    """Skips on a user's machine; CI has it."""
    assert not os.environ.get("CI"), f"{what} is missing: CI must not skip the tests of the page"
    pytest.skip(f"needs {what}: `make browser` says how to get it")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's Chromium, started once."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        missing("chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"] if os.getuid() == 0 else []
        )
        yield started
        started.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, which is for tests alone: it lies outside git."""
    folder = ROOT / "out" / "axe"
    source = folder / "node_modules" / "axe-core" / "axe.min.js"
    if not source.exists():
        if shutil.which("npm") is None:
            missing("npm")
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder, AXE], check=True)
    return source.read_text("utf-8")


@contextmanager
def viewing(*arguments: object) -> Iterator[str]:
    """The address at which `histoserve view` shows what the arguments say."""
    command = [Path(sys.executable).with_name("histoserve"), "view", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            address = next(filter(None, (re.search(r"http://\S+/", line) for line in process.stdout)))[0]
            yield address
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)


@pytest.fixture(scope="session")
def made_up_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Slide 0 has every kind of layer, 1 the same at half the size, 2 no µm/px, and is not there itself."""
    slides, out, aside = (tmp_path_factory.mktemp(name) for name in ("slides", "out", "aside"))
    for name, size, mpp in (("field", (1601, 1203), 0.25), ("half", (800, 600), 0.5)):
        write_phantom(slides / f"{name}.tiff", kind="he", size=size, mpp=mpp, seed=4, truth=None)
        made_up.write(out, slides / f"{name}.tiff", made_up.all_kinds() if name == "field" else [], mpp)
    made_up.write_scan(aside / "scan.png")
    made_up.write(out, aside / "scan.png", made_up.all_kinds()[1:2], None)
    with viewing(out, "--slide", slides, "--cache", aside) as address:
        yield address


@pytest.fixture(scope="module")
def went_wrong() -> list[str]:
    """What no page may do: complain, ask for what is not there, or ask anybody else."""
    return []


@pytest.fixture(autouse=True)
def _nothing_went_wrong(went_wrong: list[str]) -> Iterator[None]:
    went_wrong.clear()
    yield
    assert not went_wrong


@pytest.fixture(scope="module")
def opened(browser: Any, went_wrong: list[str]) -> Iterator[Callable[..., Any]]:
    """`opened(address, **settings of the browser)` → a page."""
    contexts = []

    def open_page(address: str, **settings: Any) -> Any:
        known = {"viewport": {"width": 1300, "height": 850}, "reduced_motion": "reduce", "locale": "en-GB"}
        context = browser.new_context(**{**known, **settings})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        watch(page, re.match(r"https?://[^/]+/", address)[0], went_wrong)  # type: ignore[index]
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()


def watch(page: Any, origin: str, wrong: list[str]) -> None:
    """Notes in `wrong` what a page of this origin may not do."""
    page.on("console", lambda said: said.type == "error" and wrong.append(said.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("response", lambda answer: answer.status >= 400 and wrong.append(f"{answer.status} {answer.url}"))
    page.on("request", lambda asked: asked.url.startswith((origin, "blob:", "data:")) or wrong.append(asked.url))


@pytest.fixture(scope="module")
def field(made_up_page: str, opened: Callable[..., Any]) -> Callable[..., Any]:
    """`field(what the address says)` → the page of the slide with all kinds of layers, the same one each time."""
    page = opened(f"{made_up_page}s/0/")
    settle(page)

    def go(said: str) -> Any:
        page.evaluate("said => { location.hash = said; }", said)
        settle(page)
        return page

    return go


@pytest.fixture
def keep(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Keeps a picture of a page, to be looked at."""

    def keep_picture(page: Any, name: str, full: bool = False) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=PICTURES / f"{name}.png", full_page=full)

    return keep_picture
