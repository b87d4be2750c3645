"""`histoserve view`: what the user typed becomes a page that is served until Ctrl-C."""

import os
import secrets
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from histoserve.client.errors import HistoserveError, WrongUsage
from histoserve.client.labels.label import Decision
from histoserve.client.labels.read import is_training_set, read_labels
from histoserve.client.slide import printable
from histoserve.client.terminal import complain
from histoserve.client.view.address import listen
from histoserve.client.view.app import Settings, make_app
from histoserve.client.view.beside import Matrix, read_registration
from histoserve.client.view.find import find_results
from histoserve.client.view.guard import App
from histoserve.client.view.layers.drawn import open_layers
from histoserve.client.view.match import candidates, open_matching
from histoserve.client.view.open_slides import OpenSlides
from histoserve.client.view.pages import LANGUAGES, READERS
from histoserve.client.view.review.app import make_review_app
from histoserve.client.view.server import web_server
from histoserve.client.view.slides import SlideOnPage, group

MOST_REMARKS = 1000
"""Of one page: who runs it for months shall find its first troubles, and a disk that is not full of the last."""


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


def view(order: Order) -> None:
    """Serves the page until it is told to stop; raises HistoserveError."""
    _check(order)
    remark = _once(complain)
    if any(map(is_training_set, order.outs)):
        folder, said = _training_set(order)
        _serve(order, None, lambda settings: make_review_app(folder, settings, order.allow_hosts, remark), said)
        return
    results, missing = find_results(order.outs)
    for each in missing:
        complain(str(each))
    slides, problems = group(results, missing)
    files = files_of(order.slide, slides)
    if order.registration and len(slides) != 2:
        raise WrongUsage(f"--registration is for two slides side by side; the folders hold results of {len(slides)}.")
    registration = read_registration(order.registration) if order.registration else None
    opened = OpenSlides(slides, files, open_layers, order.cache or _cache(), remark)
    _serve(order, registration, lambda settings: make_app(opened, problems, settings, remark), _said(slides))


def _training_set(order: Order) -> tuple[Path, str]:
    """The folder, and what is told of it; raises HistoserveError."""
    folder, *more = order.outs
    if more or not is_training_set(folder):
        raise WrongUsage("A training set is looked at alone: give the folder that `label` wrote to, and no other.")
    for option, given in (("--slide", order.slide), ("--registration", order.registration), ("--cache", order.cache)):
        if given is not None:
            raise WrongUsage(f"{option} is for results; a training set holds its own pictures: leave it out.")
    if order.reader != READERS[0]:
        raise WrongUsage(f"--for {order.reader}: a training set is for the eyes of a {READERS[0]}; leave it out.")
    labels = read_labels(folder)
    left = sum(label.decision is Decision.UNDECIDED for label in labels)
    return folder, f"{len(labels)} tile{'s' * (len(labels) != 1)}, {left} undecided"


def _said(slides: Sequence[SlideOnPage]) -> str:
    results = sum(len(slide.results) for slide in slides)
    return f"{results} result{'s' * (results != 1)} of {len(slides)} slide{'s' * (len(slides) != 1)}"


def _serve(order: Order, registration: Matrix | None, make: Callable[[Settings], App], said: str) -> None:
    address = listen(order.address, order.port, order.allow_network)
    token = secrets.token_urlsafe(24) if order.allow_network else None
    hosts = [*order.allow_hosts, address.host]
    app = make(Settings(order.anonymous, order.reader, order.language, registration, hosts, token))
    print(said)
    print(f"page     {address.link}{f'?token={token}' if token else ''}\nready; Ctrl-C stops", flush=True)
    before = signal.getsignal(signal.SIGTERM)
    try:
        web_server(app).run([address.socket])
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
        address.socket.close()


def _once(say: Callable[[str], None]) -> Callable[[str], None]:
    """A slide that is opened again, and each window that asks for the same tile, says what was said already."""
    said: set[str] = set()

    def remark(text: str) -> None:
        if text not in said and len(said) < MOST_REMARKS:
            said.add(text)
            say(text)

    return remark


def _check(order: Order) -> None:
    if order.reader not in READERS:
        raise WrongUsage(f"--for {order.reader!r} is nobody: give {' or '.join(READERS)}.")
    if order.language not in (None, *LANGUAGES):
        raise WrongUsage(f"--lang {order.language!r} is not there: give {' or '.join(LANGUAGES)}.")


def files_of(place: Path | None, slides: Sequence[SlideOnPage]) -> Mapping[str, Sequence[Path]] | None:
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
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "histoserve" / "view"
