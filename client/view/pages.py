"""The pages themselves: templates, filled in for a reader and a language."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from histoserve.client.view import query
from histoserve.client.view.anonymous import Names
from histoserve.client.view.files import page_files
from histoserve.client.view.problem import Problem
from histoserve.client.view.result_said import HEAD
from histoserve.client.view.slides import SlideOnPage

READERS = ("doctor", "patient")
LANGUAGES = ("en", "zh")


class Pages:
    """Of all slides."""

    def __init__(
        self,
        slides: Sequence[SlideOnPage],
        problems: Sequence[Problem],
        names: Names,
        reader: str,
        language: str | None,
        folder: Path,
    ):
        """`problems`: of no slide that is shown; without a `language` each browser's is taken; `folder`: the page's."""
        self._slides = slides
        self._problems = problems
        self._names = names
        self._reader, self._language = reader, language
        self._files = page_files(folder)
        self._texts = {each: json.loads(self._files[f"texts-{each}.json"].content) for each in LANGUAGES}
        self._templates = Environment(
            loader=FileSystemLoader(folder), autoescape=select_autoescape(), undefined=StrictUndefined
        )

    async def list(self, request: Request) -> Response:
        """Of the slides; of a single one its page."""
        slides = self._slides
        if len(slides) == 1:
            asked = f"?{request.url.query}" if request.url.query else ""
            return RedirectResponse(f"s/0/{asked}", 302)
        pairs = [[0, 1]] if len(slides) == 2 else []
        listed = [self._listed(slide) for slide in slides]
        problems = [self._hidden(vars(each)) for each in self._problems]
        return self.page("list.html", request, "./", slides=listed, problems=problems, pairs=pairs)

    async def slide(self, request: Request) -> Response:
        """One slide's."""
        slide = self._of(request.path_params["n"])
        return self.page(
            "page.html",
            request,
            "../../",
            slide=self._named(slide),
            slides=[self._listed(each) for each in self._slides],
        )

    async def beside(self, request: Request) -> Response:
        """Of two."""
        a, b = request.path_params["a"], request.path_params["b"]
        if a == b:
            raise query.not_found()
        first, second = self._named(self._of(a)), self._named(self._of(b))
        return self.page("beside.html", request, "../../../", first=first, second=second)

    async def file(self, request: Request) -> Response:
        """One of the page's own."""
        file = self._files.get(request.path_params["name"])
        if file is None:
            raise query.not_found()
        headers = {"ETag": file.tag, "Cache-Control": "private, no-cache"}
        if request.headers.get("if-none-match") == file.tag:
            return Response(status_code=304, headers=headers)
        return Response(file.content, media_type=file.kind, headers=headers)

    def ask(self, request: Request, wrong: bool) -> Response:
        """For the token, whatever else the request says."""
        root = "../" * (request.scope["path"].count("/") - 1) or "./"
        language = self._language or _preferred(request)
        return self._filled("token.html", root, language, self._reader, {"wrong": wrong}, 403)

    def page(self, template: str, request: Request, root: str, **more: Any) -> Response:
        """A template in the language and for the reader asked for; `root`: the way to `/`."""
        asked = request.query_params
        language = query.choice(query.one(asked, "lang"), LANGUAGES, self._language or _preferred(request))
        return self._filled(
            template, root, language, query.choice(query.one(asked, "for"), READERS, self._reader), more
        )

    def _filled(
        self, template: str, root: str, language: str, reader: str, more: Mapping[str, Any], code: int = 200
    ) -> Response:
        known = {
            "language": language,
            "languages": LANGUAGES,
            "texts": self._texts[language],
            "for": reader,
            "root": root,
            "files": f"{root}files/".removeprefix("./"),
        }
        return HTMLResponse(self._templates.get_template(template).render({**known, **more}), code)

    def _of(self, number: int) -> SlideOnPage:
        if number >= len(self._slides):
            raise query.not_found()
        return self._slides[number]

    def _named(self, slide: SlideOnPage) -> dict[str, Any]:
        return {"number": slide.number, "name": self._names.of(slide)}

    def _listed(self, slide: SlideOnPage) -> Mapping[str, Any]:
        results = [{name: result.described[name] for name in HEAD} for result in slide.results]
        said = {"results": results, "words": [each["words"] for each in results]}
        problems = [vars(each) for each in slide.problems]
        return {**self._named(slide), **self._names.hidden({**said, "problems": problems}, slide)}

    def _hidden(self, said: Any) -> Any:
        for slide in self._slides:
            said = self._names.hidden(said, slide)
        return said


def _preferred(request: Request) -> str:
    first = request.headers.get("accept-language", "").strip().lower()
    return "zh" if first.startswith("zh") else "en"
