"""What is answered, in one process."""

import json
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from histoserve.client.slide import printable
from histoserve.client.view.files import PAGE

Show = Callable[..., TestClient]


@pytest.fixture
def two(out: Path, write: Callable[..., Path], slide_path: Path, tmp_path: Path) -> Path:
    """OUT with the results of two slides."""
    second = Path(shutil.copy(slide_path, tmp_path / "second.png"))
    second.write_bytes(second.read_bytes() + b"\0")
    write(out, second, mpp=0.5)
    return out


def ready(client: TestClient, address: str = "/s/0/") -> Any:
    """The description, once the layers are open."""
    while True:
        said = client.get(f"{address}description.json").json()
        if all(each["ready"] for each in said["results"]):
            return said


def test_a_single_slide_is_shown_at_once(show: Show, out: Path) -> None:
    answer = show(out).get("/?lang=zh&for=patient")

    assert (answer.status_code, answer.headers["location"]) == (302, "s/0/?lang=zh&for=patient")


def test_several_slides_are_listed(show: Show, two: Path) -> None:
    answer = show(two).get("/")

    assert "[0 discs.png ['1 moon']][1 second.png ['1 moon']]" in answer.text.replace("&#39;", "'")
    assert "[[0, 1]]" in answer.text


def test_a_page_speaks_the_language_asked_for(show: Show, out: Path) -> None:
    client = show(out)

    assert client.get("/s/0/").text == "en doctor ../../files/ ../../ 0 discs.png hello"
    assert client.get("/s/0/?lang=zh&for=patient").text == "zh patient ../../files/ ../../ 0 discs.png 你好"
    assert client.get("/s/0/", headers={"Accept-Language": "zh-CN,en;q=0.5"}).text.startswith("zh")
    assert show(out, language="en", reader="patient").get("/s/0/").text.startswith("en patient")


def test_the_description_holds_what_the_page_needs(show: Show, out: Path, slide_path: Path) -> None:
    said = ready(show(out, slide=slide_path))

    assert {key: said[key] for key in ("name", "width", "height", "mpp", "deepest", "tile", "background", "notes")} == {
        "name": "discs.png", "width": 300, "height": 220, "mpp": 0.25, "deepest": 0, "tile": 512,
        "background": "slide", "notes": []}  # fmt: skip
    (result,) = said["results"]
    assert result["result"] == {"moons": {"count": 1}, "odd": None, "word": "full"}
    assert (result["pipeline"], result["words"], result["tiles"]) == ("moons", "1 moon", {"planned": 3, "failed": 1})
    assert (result["network"], result["models"]) == ("7", [{"name": "moon_network", "version": "1", "sha256": "ab"}])
    assert [(each["id"], each["kind"], each["title"]) for each in result["layers"]] == [
        ("0", "shapes", "moons"), ("1", "grid", "light"), ("2", "arrows", "tide"), ("3", "cards", "sheet"),
        ("not-seen", "not-seen", None)]  # fmt: skip
    assert [len(result["layers"][1]["colours"]), result["layers"][4]["count"]] == [256, 1]
    assert result["layers"][3]["cards"][0]["region"] == [10.1, 10, 20, 20]


def test_numbers_beyond_measure_are_shown_as_far_as_they_can_be(show: Show, out: Path) -> None:
    path = out / "discs" / "moons" / "result.json"
    path.write_text(path.read_text().replace('"odd": null', f'"odd": {10**30}, "odder": 1e999, "count": true'))

    (result,) = ready(show(out))["results"]

    assert result["result"] == {"moons": {"count": 1}, "odd": 1e30, "odder": None, "count": True, "word": "full"}


def test_tiles_of_slide_and_layers_are_pictures(show: Show, out: Path, slide_path: Path) -> None:
    client = show(out, slide=slide_path)
    ready(client)

    jpeg, png = client.get("/s/0/slide/0/0_0.jpg"), client.get("/s/0/layer/0/0/0/0_0.png?of=1,0&from=-2.5e-3")

    assert (jpeg.headers["content-type"], jpeg.content[:3]) == ("image/jpeg", b"\xff\xd8\xff")
    assert (png.headers["content-type"], png.text) == ("image/png", "0 0 0 [0, 1] -0.0025")
    assert client.get("/s/0/layer/0/not-seen/0/0_0.png").text == "0 0 0 None None"
    head = client.head("/s/0/slide/0/0_0.jpg")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(jpeg.content)))
    assert client.get("/s/0/layer/0/3/0/0_0.png?of=").text == "0 0 0 [] None"


def test_a_click_gives_what_is_there(show: Show, out: Path) -> None:
    client = show(out)
    ready(client)

    found = client.get("/s/0/at?x=12.5&y=30&r=0").json()["found"]

    assert [each["layer"] for each in found] == ["0", "1", "2", "3", "not-seen"]
    assert found[0] == {"layer": "0", "name": "full moon", "numbers": {"area": 12.5, "odd": None},
                        "outline": [[0, 0], [1, 0], [1, 1]]}  # fmt: skip


def test_while_layers_are_being_opened_the_page_waits(show: Show, out: Path) -> None:
    go = threading.Event()

    def slowly(saved: Any, folder: Path, pipeline: str, size: Any, cache: Path, watch: Any) -> dict[str, Any]:
        watch("reading moons.geojson", 0.25)
        go.wait()
        return {}

    client = show(out, layers=slowly)
    while not (result := client.get("/s/0/description.json").json()["results"][0])["doing"]:
        pass
    tile, at = client.get("/s/0/layer/0/0/0/0_0.png"), client.get("/s/0/at?x=1&y=1&r=0")
    go.set()

    assert (result["ready"], result["share"], result["doing"]) == (False, 0.25, "reading moons.geojson")
    assert [(each.status_code, each.headers["retry-after"]) for each in (tile, at)] == [(503, "1")] * 2
    assert ready(client)["results"][0]["doing"] == ""


def test_a_damaged_geojson_is_told_and_the_rest_is_shown(show: Show, app: Any, two: Path) -> None:
    (two / "discs" / "moons" / "moons.geojson").write_text("cut")
    client = show(two)

    said, other = ready(client), ready(client, "/s/1/")

    assert said["problems"] == [{"code": "geojson", "pipeline": "moons", "detail": "moons.geojson is cut off in line 3",
                                 "result": 0}]  # fmt: skip
    assert (said["results"][0]["layers"], other["problems"]) == ([], [])
    assert client.get("/s/0/layer/0/0/0/0_0.png").status_code == 404
    assert any("cut off in line 3" in told for told in app.told)


def test_layers_that_fail_in_another_way_are_told_without_a_path(show: Show, out: Path) -> None:
    def fail(*_: Any) -> Any:
        raise MemoryError(f"{out}")

    (problem,) = ready(show(out, layers=fail))["problems"]

    assert problem["detail"] == "Its layers cannot be shown (MemoryError): analyse the slide again."


def test_a_cache_that_cannot_be_written_is_told_here_and_not_on_the_page(show: Show, app: Any, out: Path) -> None:
    def unkept(saved: Any, folder: Path, pipeline: str, size: Any, cache: Path, watch: Any) -> dict[str, Any]:
        watch(f"the cache folder {cache} cannot be written: nothing is kept", 0.5)
        return {}

    said = ready(show(out, layers=unkept))

    assert str(out.parent) not in str(said)
    assert [told for told in app.told if "nothing is kept" in told]


def test_an_answer_that_fails_is_told_in_words_and_the_next_is_right(show: Show, app: Any, out: Path) -> None:
    class Broken:
        def tile(self, *_: Any) -> bytes:
            raise OSError(5, "Input/output error")

    client = show(out, layers=lambda *_: {"0": Broken()})
    ready(client)

    answer = client.get("/s/0/layer/0/0/0/0_0.png")

    assert (answer.status_code, answer.text) == (500, "This could not be answered.\n")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "Input/output error" in app.told[-1]
    assert client.get("/s/0/").status_code == 200


def test_two_slides_lie_side_by_side(show: Show, two: Path) -> None:
    client = show(two)

    there, back = (client.get(f"/beside/{pair}/description.json").json() for pair in ("0/1", "1/0"))

    assert [each["name"] for each in there["slides"]] == ["discs.png", "second.png"]
    assert (there["mpp"], there["linked"], there["matrix"]) == ([0.25, 0.5], "um", [[0.5, 0, 75], [0, 0.5, 55]])
    assert back["matrix"] == [[2, 0, -150], [0, 2, -110]]
    assert client.get("/beside/0/1/").text == "../../../files/ discs.png second.png"
    assert client.get("/beside/1/1/").status_code == client.get("/beside/1/1/description.json").status_code == 404


def test_files_are_served_by_their_names_and_only_when_changed(show: Show, out: Path) -> None:
    client = show(out)
    script, texts = client.get("/files/page.js"), client.get("/files/texts-zh.json")

    assert (script.headers["content-type"], script.text) == ("text/javascript; charset=utf-8", "export {};\n")
    assert json.loads(texts.content) == {"hello": "你好"}
    again = client.get("/files/page.js", headers={"If-None-Match": script.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/files/page.html").status_code == 404


def test_few_slides_are_open_at_a_time(show: Show, out: Path, write: Any, slide_path: Path, tmp_path: Path) -> None:
    opened: list[str] = []
    for number in range(6):
        other = tmp_path / f"{number}.png"
        other.write_bytes(slide_path.read_bytes() + bytes(number))
        write(tmp_path / "six", other)
    client = show(tmp_path / "six", layers=lambda saved, folder, *_: opened.append(folder.parent.name) or {})

    for number in [0, 1, 2, 3, 4, 5, 5, 0]:
        ready(client, f"/s/{number}/")

    assert opened == ["0", "1", "2", "3", "4", "5", "0"]


@pytest.mark.parametrize(
    "name", [b"no\xff", "M\u00fcller \u5207\u7247".encode(), b"<b>&'\"", b"a\nb", b"%2e%2e", b"x" * 200]
)
def test_slides_of_any_name_are_shown(show: Show, write: Any, slide_path: Path, tmp_path: Path, name: bytes) -> None:
    slide = slide_path.rename(tmp_path / os.fsdecode(name + b".png"))
    write(tmp_path / "out", slide)

    for given, kind in ((None, "overview"), (tmp_path, "slide")):
        client = show(tmp_path / "out", slide=given, page=PAGE)
        said = ready(client)
        assert (said["background"], said["name"]) == (kind, printable(slide.name))
        assert client.get("/s/0/").status_code == client.get("/s/0/slide/0/0_0.jpg").status_code == 200
        assert client.get("/s/0/layer/0/0/0/0_0.png").status_code == 200
