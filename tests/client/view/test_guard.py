"""Who may ask, by which name, and with which token."""

from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from histoserve.client.view.guard import HEADERS

Show = Callable[..., TestClient]


@pytest.mark.parametrize("address", ["/", "/s/0/", "/s/0/description.json", "/s/0/slide/0/0_0.jpg", "/files/page.js",
                                     "/nothing", "/s/0/slide/9/0_0.jpg", "/../etc/passwd"])  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_every_answer_has_the_headers(show: Show, out: Path, address: str, method: str) -> None:
    answer = show(out).request(method, address)

    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert answer.headers["cache-control"] == ("private, no-cache" if answer.is_success and "files" in address else
                                               "private, no-store")  # fmt: skip
    assert "server" not in answer.headers
    assert (answer.status_code == 405) == (method not in ("GET", "HEAD"))


def test_the_policy_allows_nothing_inline_and_nothing_from_elsewhere() -> None:
    assert HEADERS["Content-Security-Policy"].split("; ") == [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' blob: data:",
        "connect-src 'self'", "font-src 'self'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'",
    ]  # fmt: skip


HOSTS = {
    "localhost": 302, "localhost:8765": 302, "LOCALHOST.": 302, "127.0.0.1:1": 302, "[::1]:80": 302,
    "[0:0:0:0:0:0:0:1]": 302, "slides.hospital": 302, "Slides.Hospital:443": 302, "testserver": 302, "10.0.0.7": 403,
    "evil.example": 403, "localhost.evil.example": 403, "127.0.0.1.evil.example": 403, "evil.example:127.0.0.1": 403,
    "localhost@evil.example": 403, "local host": 403, "": 403, "127.0.0.1:port": 403, "[::1": 403, "0x7f000001": 403,
    "xn--loclhost-e0a": 403,
}  # fmt: skip


@pytest.mark.parametrize(("host", "code"), HOSTS.items())
def test_the_page_answers_to_its_own_names_alone(show: Show, out: Path, host: str, code: int) -> None:
    client = show(out, hosts=["slides.hospital", "testserver"])

    assert client.get("/", headers={"Host": host}).status_code == code


@pytest.fixture
def locked(app: Callable[..., TestClient], out: Path) -> TestClient:
    """A client behind the prefix of a proxy, of a page that wants a token."""
    return TestClient(app(out, token="right"), base_url="http://localhost", follow_redirects=False)


def test_without_the_token_only_the_page_itself_is_there(locked: TestClient) -> None:
    answer = locked.get("/s/0/")

    assert (answer.status_code, answer.text) == (403, "a token please ../../ False")
    for address in ("/", "/s/0/description.json", "/s/0/slide/0/0_0.jpg", "/nothing", "/files", "/s/0/?token=right"):
        assert locked.get(address).status_code == 403
    assert locked.get("/files/page.js").status_code == 200


def test_the_link_gives_a_cookie_and_leads_to_the_page_without_the_token(locked: TestClient) -> None:
    answer = locked.get("/?lang=zh&token=right")

    assert (answer.status_code, answer.headers["location"]) == (303, "./?lang=zh")
    assert answer.headers["set-cookie"] == "histoserve-80=right; HttpOnly; SameSite=Strict"
    assert locked.get("/").status_code == 302
    assert locked.get("/s/0/description.json").status_code == 200


@pytest.mark.parametrize(
    "token", ["", "wrong", "righ", "right%00", "%ff", "ri%C3%A9", "right&token=wrong", "wrong&token=right", "x" * 5000]
)
def test_a_wrong_token_is_asked_for_again(locked: TestClient, token: str) -> None:
    answer = locked.get(f"/?token={token}")

    assert (answer.status_code, answer.text) == (403, "a token please ./ True")
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("cookie", "code"),
    [("histoserve-80=right", 302), ("a b=[]; histoserve-80=right; c", 302), ("histoserve-80=wrong", 403),
     ("histoserve-81=right", 403), ("histoserve-80", 403), ("=right", 403), ('histoserve-80="right', 403)],
)  # fmt: skip
def test_the_cookie_is_read_beside_those_of_others(locked: TestClient, cookie: str, code: int) -> None:
    assert locked.get("/", headers={"Cookie": cookie}).status_code == code
