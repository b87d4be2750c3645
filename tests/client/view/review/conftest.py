"""The page of a small training set, in this process."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from made_up_labels import add_pair
from starlette.testclient import TestClient

from histoserve.client.view.app import Settings
from histoserve.client.view.review.app import make_review_app

HERE = "http://testserver"


@pytest.fixture(scope="session")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pairs; tile 2 of the second was dropped beforehand. Nobody writes into it."""
    folder = tmp_path_factory.mktemp("untouched") / "set"
    add_pair(folder, slides=("case 7.svs", "case 7 Ki67.svs"))
    add_pair(folder, 2, [0.5, 0.75], off=[2])
    return folder


@pytest.fixture
def labelled(untouched: Path, tmp_path: Path) -> Path:
    """The same, to be written into."""
    return Path(shutil.copytree(untouched, tmp_path / "set"))


class Page(NamedTuple):
    """A client, and what its page knows."""

    client: TestClient
    token: str
    told: list[str]

    def headers(self, **changed: str | None) -> dict[str, str]:
        """Of a request to write, `_` for `-`; None leaves one out."""
        known = {"origin": HERE, "content-type": "application/json", "x-histoserve-token": self.token}
        given = {**known, **{name.replace("_", "-"): value for name, value in changed.items()}}
        return {name: value for name, value in given.items() if value is not None}

    def decide(self, pair: int, tile: int, was: str, decision: str) -> tuple[int, Any]:
        """Code and JSON of the answer."""
        said = {"pair": pair, "tile": tile, "was": was, "decision": decision}
        answer = self.client.post("/decide", json=said, headers=self.headers())
        return answer.status_code, answer.json()


@pytest.fixture
def review() -> Iterator[Callable[..., Page]]:
    """`review(folder, proxies=…, settings by name)` → its Page."""
    with ExitStack() as stack:

        def open_page(folder: Path, proxies: tuple[str, ...] = (), **settings: Any) -> Page:
            told: list[str] = []
            app = make_review_app(
                folder, Settings(**{"hosts": ["testserver", *proxies], **settings}), proxies, told.append
            )
            client = stack.enter_context(TestClient(app, follow_redirects=False, raise_server_exceptions=False))
            page = client.get("/").text
            return Page(client, page.partition('data-token="')[2].partition('"')[0], told)

        yield open_page
