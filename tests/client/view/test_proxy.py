"""The page behind nginx, with the file that docs/view.md gives: TLS, a login, a path of its own."""

import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from histoserve.client.view.address import listen
from histoserve.client.view.files import PAGE
from histoserve.client.view.server import web_server

ROOT = Path(__file__).parents[3]
PASSWORD = b64encode(b"anna:secret").decode()


def free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


@pytest.fixture
def page(app: Any, out: Path, slide_path: Path) -> Iterator[int]:
    """The port of the page itself."""
    address, server = listen("127.0.0.1", 0, False), web_server(app(out, slide=slide_path, hosts=[], page=PAGE))
    thread = threading.Thread(target=server.run, args=([address.socket],))
    thread.start()
    yield address.socket.getsockname()[1]
    server.should_exit = True
    thread.join(20)


def write_conf(folder: Path, page: int, port: int) -> None:
    """The file of the docs for this folder and these ports, within the least that nginx needs."""
    conf = (ROOT / "examples" / "nginx.conf").read_text()
    places = {"listen 443": f"listen 127.0.0.1:{port}", ":8090/": f":{page}/", "/etc/nginx/": f"{folder}/",
              "https://$host/": f"https://$host:{port}/"}  # fmt: skip
    for place, here in places.items():
        assert place in conf
        conf = conf.replace(place, here)
    paths = "".join(f"{each}_temp_path {folder};" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    text = f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/errors; events {{}}\n"
    (folder / "nginx.conf").write_text(f"{text} http {{ {paths} access_log off; {conf} }}")


@pytest.fixture
def proxy(page: int, tmp_path: Path) -> Iterator[str]:
    """The address of the page behind nginx."""
    nginx = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if not (nginx and shutil.which("openssl")):
        pytest.skip("needs nginx and openssl")
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=slides.example", "-days", "1"]
    subprocess.run(
        [*make, "-keyout", "slides.key", "-out", "slides.crt"], cwd=tmp_path, check=True, capture_output=True
    )
    user = subprocess.run(["openssl", "passwd", "-apr1", "secret"], check=True, capture_output=True, text=True)
    (tmp_path / "slides.users").write_text(f"anna:{user.stdout}")
    (tmp_path / "slides.users").chmod(0o644)
    port = free_port()
    write_conf(tmp_path, page, port)
    with subprocess.Popen([nginx, "-p", tmp_path, "-c", tmp_path / "nginx.conf"], stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 20
        while socket.socket().connect_ex(("127.0.0.1", port)):
            assert process.poll() is None, (tmp_path / "errors").read_text()
            assert time.monotonic() < deadline
        yield f"https://127.0.0.1:{port}/slides"
        process.terminate()


def get(address: str, password: str | None = PASSWORD) -> HTTPResponse:
    trusting = ssl._create_unverified_context()
    headers = {"Authorization": f"Basic {password}"} if password else {}
    answer = urllib.request.urlopen(urllib.request.Request(address, headers=headers), context=trusting, timeout=20)
    assert isinstance(answer, HTTPResponse)
    return answer


def test_the_page_works_below_a_path_behind_a_login(proxy: str) -> None:
    start = get(f"{proxy}/?lang=zh")
    script = get(f"{proxy}/files/page.js")

    assert start.url == f"{proxy}/s/0/?lang=zh"
    assert start.headers["content-security-policy"].startswith("default-src 'none'")
    assert script.headers["content-type"].startswith("text/javascript")
    assert get(f"{proxy}/s/0/slide/0/0_0.jpg").read(2) == b"\xff\xd8"
    assert get(proxy).url == f"{proxy}/s/0/"


def test_without_the_password_nothing_is_there(proxy: str) -> None:
    for password in (None, b64encode(b"anna:wrong").decode(), "x"):
        for path in ("/", "/s/0/", "/s/0/description.json", "/s/0/slide/0/0_0.jpg", "/files/page.js"):
            with pytest.raises(urllib.error.HTTPError) as refused:
                get(f"{proxy}{path}", password)
            assert refused.value.code == 401
            assert b"discs" not in refused.value.read()
