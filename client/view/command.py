"""`histoserve view`: what the user typed becomes a page that is served until Ctrl-C."""

import os
import secrets
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from histoserve.client.errors import HistoserveError, WrongUsage
from histoserve.client.slide import printable
from histoserve.client.terminal import complain
from histoserve.client.view.address import Address, listen
from histoserve.client.view.app import Settings, make_app
from histoserve.client.view.beside import read_registration
from histoserve.client.view.find import find_results
from histoserve.client.view.guard import App
from histoserve.client.view.match import candidates, open_matching
from histoserve.client.view.open_slides import OpenSlides
from histoserve.client.view.opened import OpenLayers
from histoserve.client.view.pages import LANGUAGES, READERS
from histoserve.client.view.slides import SlideOnPage, group

CLOSING_S = 2
"""For answers under way when it is told to stop."""


@dataclass(frozen=True)
class Order:
    """What the options say."""

    outs: Sequence[Path]
    slide: Path | None = None
    port: int = 0
    address: str = "127.0.0.1"
    allow_network: bool = False
    allow_hosts: Sequence[str] = ()
    anonymous: bool = False
    reader: str = "doctor"
    language: str | None = None
    cache: Path | None = None
    registration: Path | None = None


def view(order: Order, open_layers: OpenLayers | None = None) -> None:
    """Serves the page until it is told to stop; raises HistoserveError.

    `open_layers`: other than that of `layers/drawn`.
    """
    if open_layers is None:
        from histoserve.client.view.layers.drawn import open_layers as open_drawn  # type: ignore[import-not-found]

        open_layers = open_drawn
    _check(order)
    results, missing = find_results(order.outs)
    for each in missing:
        complain(str(each))
    slides, problems = group(results, missing)
    files = _files(order.slide, slides)
    if order.registration and len(slides) != 2:
        raise WrongUsage(f"--registration is for two slides side by side; the folders hold results of {len(slides)}.")
    registration = read_registration(order.registration) if order.registration else None
    opened = OpenSlides(slides, files, open_layers, order.cache or _cache(), complain)
    address = listen(order.address, order.port, order.allow_network)
    token = secrets.token_urlsafe(24) if order.allow_network else None
    hosts = [*order.allow_hosts, address.host]
    settings = Settings(order.anonymous, order.reader, order.language, registration, hosts, token)
    _serve(make_app(opened, problems, settings, complain), address, token, slides)


def _serve(app: App, address: Address, token: str | None, slides: Sequence[SlideOnPage]) -> None:
    # h11 alone: it is the parser whose answers to hostile requests are tested.
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=CLOSING_S,
    )
    results = sum(len(slide.results) for slide in slides)
    print(f"{results} result{'s' * (results != 1)} of {len(slides)} slide{'s' * (len(slides) != 1)}")
    print(f"page     {address.link}{f'?token={token}' if token else ''}\nready; Ctrl-C stops", flush=True)
    before = signal.getsignal(signal.SIGTERM)
    try:
        uvicorn.Server(config).run([address.socket])
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
        address.socket.close()


def _check(order: Order) -> None:
    if order.reader not in READERS:
        raise WrongUsage(f"--for {order.reader!r} is nobody: give {' or '.join(READERS)}.")
    if order.language not in (None, *LANGUAGES):
        raise WrongUsage(f"--lang {order.language!r} is not there: give {' or '.join(LANGUAGES)}.")


def _files(place: Path | None, slides: Sequence[SlideOnPage]) -> Mapping[str, Sequence[Path]] | None:
    """For a slide's name, what may be it. Raises HistoserveError for a file that is none of the slides."""
    if place is None:
        return None
    found = candidates(place, {slide.said.name for slide in slides})
    if place.is_dir():
        for name, files in found.items():
            if not files:
                complain(f"{printable(place)} holds no file {name}: its overview is shown.")
        return found
    return _file(place, slides)


def _file(place: Path, slides: Sequence[SlideOnPage]) -> Mapping[str, Sequence[Path]]:
    errors = []
    for slide in slides:
        try:
            open_matching([place], slide.said)[0].close()
        except HistoserveError as error:
            errors.append(error)
        else:
            return {slide.said.name: [place]}
    raise errors[0]


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "histoserve"
