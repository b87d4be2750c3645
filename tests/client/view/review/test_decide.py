"""The one address that writes: who may, what, and that nothing of anybody's is lost."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_up_labels import add_pair, decide_all

from histoserve.client.labels.label import Decision
from histoserve.client.labels.read import TABLE, read_labels
from histoserve.client.view.guard import HEADERS

Review = Callable[..., Any]
SAID = {"pair": 1, "tile": 1, "was": "", "decision": "accept"}


def test_a_decision_is_in_the_file_before_it_is_answered(review: Review, labelled: Path) -> None:
    page = review(labelled)

    code, said = page.decide(1, 1, "", "accept")

    assert (code, said["tile"]["decision"]) == (200, "accept")
    assert read_labels(labelled)[0].decision is Decision.ACCEPT
    assert page.decide(1, 1, "accept", "")[0] == 200
    assert read_labels(labelled)[0].decision is Decision.UNDECIDED


def test_a_later_start_goes_on_where_the_first_ended(review: Review, labelled: Path) -> None:
    review(labelled).decide(1, 2, "", "drop")

    tiles = review(labelled).client.get("/tiles.json").json()["tiles"]

    assert [each["decision"] for each in tiles] == ["", "drop", "", "", "", "drop"]


STRANGERS: dict[str, dict[str, str | None]] = {
    "no token": {"x_histoserve_token": None},
    "another token": {"x_histoserve_token": "x" * 32},
    "an empty token": {"x_histoserve_token": ""},
    "a token that is no ASCII": {"x_histoserve_token": "\xe9" * 32},
    "no origin": {"origin": None},
    "a file's origin": {"origin": "null"},
    "another site": {"origin": "http://evil.example"},
    "another site called alike": {"origin": "http://testserver.evil.example"},
    "our name in a user's place": {"origin": "http://testserver@evil.example"},
    "another port": {"origin": "http://testserver:8080"},
    "loopback that is not asked": {"origin": "http://localhost:3000"},
    "no scheme": {"origin": "testserver"},
    "another scheme": {"origin": "file://testserver"},
    "a form": {"content_type": "application/x-www-form-urlencoded"},
    "a form's plain text": {"content_type": "text/plain"},
    "no kind": {"content_type": None},
    "a browser that says so": {"sec_fetch_site": "cross-site"},
    "a page beside": {"sec_fetch_site": "same-site"},
    "another name": {"host": "evil.example", "origin": "http://evil.example"},
}


@pytest.mark.parametrize("changed", STRANGERS.values(), ids=STRANGERS)
def test_no_other_page_writes(review: Review, labelled: Path, changed: dict[str, str | None]) -> None:
    page, before = review(labelled), (labelled / TABLE).read_bytes()
    headers = {name: value.encode("latin-1") for name, value in page.headers(**changed).items()}

    answer = page.client.post("/decide", content=json.dumps(SAID), headers=headers)

    assert answer.status_code == 403
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert (labelled / TABLE).read_bytes() == before


def test_a_token_given_twice_is_none(review: Review, labelled: Path) -> None:
    page = review(labelled)
    headers = [*page.headers().items(), ("x-histoserve-token", page.token)]

    assert page.client.post("/decide", content=json.dumps(SAID), headers=headers).status_code == 403


def test_a_token_is_of_one_run(review: Review, labelled: Path) -> None:
    first, second = review(labelled), review(labelled)

    assert len(first.token) >= 32
    assert first.client.post("/decide", json=SAID, headers=second.headers()).status_code == 403


def test_a_proxy_with_a_name_of_its_own_may_stand_before_it(review: Review, labelled: Path) -> None:
    page = review(labelled, proxies=("slides.hospital",))
    for origin, code in (("https://slides.hospital", 200), ("https://other.hospital", 403)):
        answer = page.client.post("/decide", json=SAID, headers=page.headers(origin=origin, host="localhost:8090"))
        assert answer.status_code == code


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "GET", "HEAD", "TRACE"])
def test_nothing_but_post_is_taken(review: Review, labelled: Path, method: str) -> None:
    page = review(labelled)

    assert page.client.request(method, "/decide", json=SAID, headers=page.headers()).status_code == 405


@pytest.mark.parametrize("address", ["/", "/tiles.json", "/t/1/1/he.png", "/files/review.js", "/decide/", "//decide",
                                     "/%64ecide", "/s/0/"])  # fmt: skip
def test_nowhere_else_anything_is_taken(review: Review, labelled: Path, address: str) -> None:
    page = review(labelled)
    before = (labelled / TABLE).read_bytes()

    assert page.client.post(address, json=SAID, headers=page.headers()).status_code in (404, 405)
    assert (labelled / TABLE).read_bytes() == before


BODIES: dict[str, Any] = {
    "nothing": b"",
    "no JSON": b"pair=1",
    "no UTF-8": b'{"pair": 1, "tile": 1, "was": "\xff", "decision": "accept"}',
    "a list": [1, 1, "", "accept"],
    "a name less": {"pair": 1, "tile": 1, "decision": "accept"},
    "a name more": {**SAID, "reading": 1},
    "a name twice": b'{"pair": 1, "tile": 1, "was": "", "decision": "drop", "decision": "accept"}',
    "an unlisted decision": {**SAID, "decision": "Accept"},
    "a decision that is none": {**SAID, "decision": None},
    "a list of decisions": {**SAID, "decision": ["accept"]},
    "a number as text": {**SAID, "pair": "1"},
    "a broken number": {**SAID, "pair": 1.0},
    "true": {**SAID, "pair": True},
    "zero": {**SAID, "tile": 0},
    "below zero": {**SAID, "tile": -1},
    "a huge number": {**SAID, "tile": 10**30},
    "no number": b'{"pair": NaN, "tile": 1, "was": "", "decision": "accept"}',
    "deep": b"[" * 900,
    "too much": {**SAID, "was": "x" * 2000},
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_only_decisions_are_taken(review: Review, labelled: Path, body: Any) -> None:
    page, before = review(labelled), (labelled / TABLE).read_bytes()
    content = body if isinstance(body, bytes) else json.dumps(body)

    answer = page.client.post("/decide", content=content, headers=page.headers())

    assert answer.status_code == (413 if "x" * 2000 in str(body) else 400)
    assert (labelled / TABLE).read_bytes() == before
    assert page.told == []


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ((1, 9, "", "accept"), "There is no tile 9 of pair 1"),
        ((9, 1, "", "accept"), "There is no tile 1 of pair 9"),
        ((2, 2, "drop", "accept"), "Tile 2 of pair 2 was dropped beforehand"),
        ((2, 2, "drop", ""), "Tile 2 of pair 2 was dropped beforehand"),
        ((1, 3, "", "accept"), "Tile 3 of pair 1 has no reading: it cannot be accepted"),
    ],
)
def test_what_cannot_be_decided_is_said(review: Review, labelled: Path, asked: Any, told: str) -> None:
    before = (labelled / TABLE).read_bytes()

    code, said = review(labelled).decide(*asked)

    assert code == 409
    assert told in said["detail"]
    assert (labelled / TABLE).read_bytes() == before


def test_of_two_windows_the_later_is_told_and_shown_what_stands(review: Review, labelled: Path) -> None:
    one, other = review(labelled), review(labelled)
    one.decide(1, 1, "", "drop")

    code, said = other.decide(1, 1, "", "accept")

    assert (code, said["code"], said["tile"]["decision"]) == (409, "meanwhile", "drop")
    assert read_labels(labelled)[0].decision is Decision.DROP


def test_what_was_written_into_the_file_meanwhile_stays(review: Review, labelled: Path) -> None:
    page = review(labelled)
    decide_all(labelled, {(1, 2): Decision.DROP})
    add_pair(labelled, 3, [0.1])

    assert page.decide(1, 1, "", "accept")[0] == 200
    assert page.decide(3, 1, "", "accept")[0] == 200

    assert [each.decision.value for each in read_labels(labelled)] == ["accept", "drop", "", "", "", "drop", "accept"]


@pytest.mark.parametrize("anonymous", [False, True])
def test_a_file_that_somebody_broke_is_told_and_left_alone(review: Review, labelled: Path, anonymous: bool) -> None:
    page = review(labelled, anonymous=anonymous)
    broken = (labelled / TABLE).read_text().replace("3.2,,", "3.2,acept,", 1)
    (labelled / TABLE).write_text(broken)

    code, said = page.decide(1, 1, "", "accept")

    assert (code, said["code"]) == (409, "file")
    assert ("line 2 has the decision 'acept'" in said["detail"]) is not anonymous
    assert page.client.get("/tiles.json").status_code == 409
    assert "line 2 has the decision 'acept'" in page.told[0]
    assert (labelled / TABLE).read_text() == broken
    (labelled / TABLE).write_text(broken.replace("acept", "accept"))
    assert page.decide(1, 1, "accept", "drop")[0] == 200


def test_without_the_token_of_the_network_nobody_writes(review: Review, labelled: Path) -> None:
    page = review(labelled)
    locked = review(labelled, token="right")

    assert locked.token == ""
    for address in ("/", "/tiles.json", "/t/1/1/he.png"):
        assert locked.client.get(address).status_code == 403
    assert locked.client.post("/decide", json=SAID, headers=page.headers()).status_code == 403
