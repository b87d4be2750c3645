"""The addresses of a training set's page, as an app behind its guard."""

from collections.abc import Callable, Collection
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from histoserve.client.labels.decide import Review
from histoserve.client.view import query
from histoserve.client.view.anonymous import Names
from histoserve.client.view.app import HANDLERS, Settings
from histoserve.client.view.entry import Entry, everybody
from histoserve.client.view.guard import App, Guard
from histoserve.client.view.pages import Pages
from histoserve.client.view.review.answers import ReviewAnswers
from histoserve.client.view.writing import Writing

assert query.COUNT  # Its import makes {…:count} known.

DECIDE = "/decide"


def make_review_app(folder: Path, settings: Settings, proxies: Collection[str], remark: Callable[[str], None]) -> App:
    """Of the training set in `folder`; `proxies`: names that stand before it. Raises LabelsError."""
    writing = Writing(DECIDE, proxies)
    pages = Pages([], [], Names(settings.anonymous), settings.reader, settings.language, settings.page)
    answers = ReviewAnswers(Review(folder), settings.anonymous, remark)

    async def page(request: Request) -> Response:
        return pages.page("review.html", request, "./", token=writing.token)

    routes = [
        Route("/", page),
        Route("/tiles.json", answers.tiles),
        Route("/t/{pair:count}/{tile:count}/{stain}.png", answers.picture),
        Route(DECIDE, answers.decide, methods=["POST"]),
        Route("/files/{name}", pages.file),
    ]
    app = Starlette(routes=routes, exception_handlers=HANDLERS)
    app.router.redirect_slashes = False
    entry = Entry(settings.token, pages.ask) if settings.token else everybody
    return Guard(app, settings.hosts, entry, remark, writing)
