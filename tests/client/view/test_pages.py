"""The real pages: all they link to is there, relative, and nothing stands inline that the policy forbids."""

import itertools
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from starlette.testclient import TestClient

from histoserve.client.view.files import PAGE, page_files

HERE = "http://testserver"


class Links(HTMLParser):
    """What a page links to, and what of it the policy would not let work."""

    def __init__(self, text: str):
        super().__init__()
        self.links: set[str] = set()
        self.forbidden: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.links |= {str(given[name]) for name in ("href", "src", "action") if given.get(name)}
        inline = [name for name in given if name == "style" or name.startswith("on")]
        if inline or tag == "style" or (tag == "script" and not given.get("src")):
            self.forbidden.append(f"{tag} {inline}")


@pytest.fixture
def client(show: Callable[..., TestClient], out: Path, write: Callable[..., Path], slide_path: Path) -> TestClient:
    """Of two slides, with problems beside them."""
    second = Path(shutil.copy(slide_path, slide_path.with_name("<b>&'second.png")))
    second.write_bytes(second.read_bytes() + b"\0")
    write(out, second)
    for folder in (out / "discs" / ".unfinished-suns-1", out / "lost" / ".unfinished-moons-1"):
        folder.mkdir(parents=True)
    return show(out, page=PAGE)


CHOICES = list(itertools.product(("/", "/s/0/", "/s/1/", "/beside/0/1/"), ("doctor", "patient"), ("en", "zh")))


@pytest.mark.parametrize(("address", "reader", "language"), CHOICES)
def test_all_that_a_page_links_to_is_there(client: TestClient, address: str, reader: str, language: str) -> None:
    answer = client.get(f"{address}?for={reader}&lang={language}")

    page = Links(answer.text)
    assert (answer.status_code, page.forbidden) == (200, [])
    assert len(page.links) > 3
    assert "<b>&'second" not in answer.text
    for link in page.links:
        assert not urlsplit(link).scheme
        assert not link.startswith("/")
        assert client.get(urljoin(f"{HERE}{address}", link)).status_code in (200, 302), link


@pytest.mark.parametrize(("address", "language"), list(itertools.product(("/", "/s/0/", "/beside/0/1/"), ("en", "zh"))))
def test_the_form_for_the_token_leads_to_the_start(
    show: Callable[..., TestClient], out: Path, address: str, language: str
) -> None:
    client = show(out, page=PAGE, token="right", language=language)

    answer = client.get(address)
    page = Links(answer.text)

    assert (answer.status_code, page.forbidden) == (403, [])
    targets = {urljoin(f"{HERE}{address}", link) for link in page.links}
    assert f"{HERE}/" in targets
    for target in targets - {f"{HERE}/"}:
        assert client.get(target).status_code == 200, target


def test_scripts_load_nothing_from_elsewhere() -> None:
    for name, file in page_files(PAGE).items():
        if name.endswith((".js", ".css", ".mjs")) and not name.startswith("openseadragon"):
            text = file.content.decode()
            assert "://" not in text.replace("http://www.w3.org/", ""), name


def test_a_file_of_unknown_type_is_not_served(tmp_path: Path) -> None:
    (tmp_path / "tool.exe").touch()

    with pytest.raises(ValueError, match=r"tool\.exe"):
        page_files(tmp_path)
