"""Hostile requests, byte by byte, to the real server; after all of them it answers as before."""

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from histoserve.client.view.address import listen
from histoserve.client.view.guard import HEADERS
from histoserve.client.view.server import web_server

Ask = Callable[..., bytes]


@pytest.fixture
def port(app: Any, out: Path, slide_path: Path) -> Iterator[int]:
    """Of the page of discs.png."""
    address, server = listen("127.0.0.1", 0, False), web_server(app(out, slide=slide_path, hosts=[]))
    thread = threading.Thread(target=server.run, args=([address.socket],))
    thread.start()
    yield address.socket.getsockname()[1]
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()
    assert app.told == []


def ask(port: int, request: bytes) -> bytes:
    """All that comes back until the server closes."""
    answer = b""
    # Who goes on sending after a refusal may not get to read it.
    gone = suppress(ConnectionResetError, BrokenPipeError)
    with socket.create_connection(("127.0.0.1", port), 10) as connection, gone:
        connection.sendall(request)
        while part := connection.recv(65536):
            answer += part
    return answer or b"HTTP/1.1 400"


def get(target: bytes, host: bytes = b"localhost", method: bytes = b"GET", more: bytes = b"") -> bytes:
    return method + b" " + target + b" HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n" + more + b"\r\n"


HOSTILE: dict[bytes, int] = {
    # Out of the folder, in every spelling.
    get(b"/../../../../etc/passwd"): 404,
    get(b"/files/../../../../etc/passwd"): 404,
    get(b"/files/%2e%2e/%2e%2e/etc/passwd"): 404,
    get(b"/files/..%2f..%2fetc%2fpasswd"): 404,
    get(b"/files/%252e%252e%252fetc%252fpasswd"): 404,
    get(b"/files/..%5c..%5cetc"): 404,
    get(b"/files/..\\..\\etc"): 404,
    get(b"/files/%c0%ae%c0%ae/etc/passwd"): 404,
    get(b"/files/....//....//etc/passwd"): 404,
    get(b"/files//etc/passwd"): 404,
    get(b"//etc/passwd"): 404,
    get(b"/files/%2fetc%2fpasswd"): 404,
    get(b"/files/page.html"): 404,
    get(b"/files/.hidden"): 404,
    get(b"/files/texts/en.json"): 404,
    get(b"/files/page.js%00.png"): 404,
    get(b"/files/page.js%0a"): 404,
    get(b"/files/page.js;x"): 404,
    get(b"/files/p%61ge.js"): 404,
    get(b"/s/./0/"): 404,
    # What is not there.
    get(b"/s/1/"): 404,
    get(b"/s/0"): 404,
    get(b"/s/0/slide/1/0_0.jpg"): 404,
    get(b"/s/0/slide/0/1_0.jpg"): 404,
    get(b"/s/0/slide/0/0_0.png"): 404,
    get(b"/s/0/layer/1/0/0/0_0.png"): 404,
    get(b"/s/0/layer/0/4/0/0_0.png"): 404,
    get(b"/s/0/layer/0/seen/0/0_0.png"): 404,
    get(b"/s/0/label"): 404,
    get(b"/s/0/overview.png"): 404,
    get(b"/result.json"): 404,
    # Numbers that are none, or too many.
    get(b"/s/0/slide/-1/0_0.jpg"): 404,
    get(b"/s/0/slide/0/-1_0.jpg"): 404,
    get(b"/s/0/slide/00/0_0.jpg"): 404,
    get(b"/s/0/slide/+0/0_0.jpg"): 404,
    get(b"/s/0/slide/0/0_" + b"9" * 200 + b".jpg"): 404,
    get(b"/s/" + b"9" * 6000 + b"/"): 404,
    get(b"/s/%D9%A0/"): 404,
    get(b"/s/0x0/"): 404,
    get(b"/s/1e0/"): 404,
    get(b"/s/0/at?x=nan&y=1&r=0"): 404,
    get(b"/s/0/at?x=inf&y=1&r=0"): 404,
    get(b"/s/0/at?x=1e999&y=1&r=0"): 404,
    get(b"/s/0/at?x=-1&y=1&r=0"): 404,
    get(b"/s/0/at?x=301&y=1&r=0"): 404,
    get(b"/s/0/at?x=%D9%A1&y=1&r=0"): 404,
    get(b"/s/0/at?x=1&y=1&r=1"): 404,
    get(b"/s/0/at?x=1&x=2&y=1&r=0"): 404,
    get(b"/s/0/at?x=1&y=1"): 404,
    get(b"/s/0/at"): 404,
    get(b"/s/0/layer/0/0/0/0_0.png?of=2"): 404,
    get(b"/s/0/layer/0/0/0/0_0.png?of=0,,1"): 404,
    get(b"/s/0/layer/0/0/0/0_0.png?of=" + b"0," * 9000 + b"0"): 404,
    get(b"/s/0/layer/0/1/0/0_0.png?from=NaN"): 404,
    get(b"/s/0/layer/0/1/0/0_0.png?from=1_0"): 404,
    get(b"/s/0/?for=nurse"): 404,
    get(b"/s/0/?lang=../../en"): 404,
    # Other methods, other hosts, other protocols.
    get(b"/", method=b"POST"): 405,
    get(b"/", method=b"PUT"): 405,
    get(b"/s/0/", method=b"DELETE"): 405,
    get(b"/", method=b"OPTIONS"): 405,
    get(b"/", method=b"PROPFIND"): 405,
    get(b"/", method=b"get"): 405,
    get(b"localhost:443", method=b"CONNECT"): 405,
    get(b"/", method=b"POST", more=b"X-HTTP-Method-Override: GET\r\n"): 405,
    get(b"/", host=b"evil.example"): 403,
    get(b"/", host=b"evil.example", more=b"X-Forwarded-Host: localhost\r\n"): 403,
    get(b"/", host=b"localhost\r\nHost: evil.example"): 400,
    get(b"http://localhost/s/0/"): 404,
    get(b"http://evil.example/"): 404,
    get(b"*"): 404,
    b"GET / HTTP/1.1\r\n\r\n": 400,
    b"GET / HTTP/1.0\r\n\r\n": 403,
    b"GET /\r\n\r\n": 400,
    b"GET / HTTP/9.9\r\nHost: localhost\r\nConnection: close\r\n\r\n": 302,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200): 400,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n": 405,
    get(b"/\x00"): 400,
    get(b"/\xff"): 400,
    get(b"/ /"): 400,
    get(b"/", more=b"Header : x\r\n"): 400,
    get(b"/", more=b"X: " + b"x" * 200_000 + b"\r\n"): 400,
    get(b"/", more=b"Content-Length: 5\r\nContent-Length: 6\r\n"): 400,
    # A body nobody reads, and a switch of protocols nobody makes.
    get(b"/s/0/", more=b"Content-Length: 5\r\n") + b"12345": 200,
    get(b"/s/0/", more=b"Upgrade: websocket\r\nConnection: Upgrade\r\n"): 200,
    get(b"/s/0/", more=b"Range: bytes=0-1\r\n"): 200,
}


def test_each_hostile_request_gets_its_answer(port: int) -> None:
    answers = {request: ask(port, request) for request in HOSTILE}

    codes = {request[:90]: int(answer[9:12] or 0) for request, answer in answers.items()}
    assert codes == {request[:90]: code for request, code in HOSTILE.items()}
    for request, answer in answers.items():
        assert b"Traceback" not in answer
        assert b"root:" not in answer
        if HOSTILE[request] != 400:
            assert all(f"{name.lower()}: {value}".encode() in answer for name, value in HEADERS.items())
    assert ask(port, get(b"/s/0/")).startswith(b"HTTP/1.1 200")


def test_clients_that_go_away_do_no_harm(port: int) -> None:
    for cut in range(0, 80, 3):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(get(b"/s/0/slide/0/0_0.jpg")[:cut])
    for _ in range(40):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(get(b"/s/0/slide/0/0_0.jpg"))

    assert ask(port, get(b"/s/0/slide/0/0_0.jpg")).startswith(b"HTTP/1.1 200")


def test_ten_windows_at_a_time_get_the_same(port: int) -> None:
    requests = [get(b"/s/0/slide/0/0_0.jpg"), get(b"/s/0/"), get(b"/s/0/layer/0/1/0/0_0.png"), get(b"/files/page.js")]
    ask(port, get(b"/s/0/description.json"))

    with ThreadPoolExecutor(10) as windows:
        answers = list(windows.map(lambda number: ask(port, requests[number % 4]).split(b"\r\n\r\n", 1), range(200)))

    for each in range(4):
        assert len({body for _, body in answers[each::4]}) == 1
    assert all(head.startswith(b"HTTP/1.1 200") for head, _ in answers)


def test_who_sends_nothing_keeps_nobody_waiting(port: int) -> None:
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]

    assert ask(port, get(b"/s/0/")).startswith(b"HTTP/1.1 200")
    for each in silent:
        each.close()
