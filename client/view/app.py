"""The addresses, as an app behind its guard."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from histoserve.client.view import query
from histoserve.client.view.anonymous import Names
from histoserve.client.view.answers import Answers
from histoserve.client.view.beside import Matrix
from histoserve.client.view.entry import Entry, everybody
from histoserve.client.view.files import PAGE
from histoserve.client.view.guard import App, Guard, failed
from histoserve.client.view.open_slides import OpenSlides
from histoserve.client.view.pages import Pages
from histoserve.client.view.problem import Problem

assert query.COUNT  # Its import makes {…:count} known.


@dataclass(frozen=True)
class Settings:
    """What the command's options say."""

    anonymous: bool = False
    reader: str = "doctor"
    language: str | None = None
    registration: Matrix | None = None
    hosts: Collection[str] = ()
    token: str | None = None
    page: Path = PAGE
    """The folder of its templates and files."""


def make_app(slides: OpenSlides, problems: Sequence[Problem], settings: Settings, remark: Callable[[str], None]) -> App:
    """To be run in one event loop; `remark` is told what failed."""
    names = Names(settings.anonymous)
    pages = Pages(slides.slides, problems, names, settings.reader, settings.language, settings.page)
    answers = Answers(slides, names, settings.registration)
    routes = [
        Route("/", pages.list),
        Route("/s/{n:count}/", pages.slide),
        Route("/s/{n:count}/description.json", answers.description),
        Route("/s/{n:count}/slide/{z:count}/{x:count}_{y:count}.jpg", answers.slide_tile),
        Route("/s/{n:count}/layer/{r:count}/{l}/{z:count}/{x:count}_{y:count}.png", answers.layer_tile),
        Route("/s/{n:count}/at", answers.at),
        Route("/beside/{a:count}/{b:count}/", pages.beside),
        Route("/beside/{a:count}/{b:count}/description.json", answers.beside),
        Route("/files/{name}", pages.file),
    ]

    @asynccontextmanager
    async def running(app: Starlette) -> AsyncIterator[None]:
        yield
        answers.stop()

    app = Starlette(routes=routes, exception_handlers=HANDLERS, lifespan=running)
    # Its redirects name the host as the server sees it.
    app.router.redirect_slashes = False
    return Guard(app, settings.hosts, Entry(settings.token, pages.ask) if settings.token else everybody, remark)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    words = "Not found." if error.status_code == 404 else error.detail
    return PlainTextResponse(f"{words}\n", error.status_code)


async def _failed(request: Request, error: Exception) -> Response:
    return failed()


HANDLERS = {HTTPException: _refused, Exception: _failed}
"""What is answered where a request is wrong, or we are."""
