"""The real layers above the slide: each where it is, and damaged ones told in words."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from opened_page import opened
from PIL import Image
from starlette.testclient import TestClient

from histoserve.client.view.layers.drawn import open_layers

DAMAGED: dict[str, tuple[Callable[[bytes], bytes | None], str | None]] = {
    "whole": (lambda text: text, None),
    "cut off in a feature": (lambda text: text[:200], "line 2: it is no feature"),
    "cut off after one": (lambda text: text[: text.rindex(b"\n]}")], "moons.geojson"),
    "empty": (lambda text: b"", "line 1"),
    "gone": (lambda text: None, "cannot be read"),
    "not JSON": (lambda text: text.replace(b'{"type":"Feature"', b'{"type":Feature'), "line 2"),
    "of bytes": (lambda text: b"\xff\xfe" + bytes(3000), "line 1"),
    "another kind of JSON": (lambda text: b"[]", "line 1"),
    "fewer than stated": (lambda text: b"".join(text.splitlines(True)[:1]) + b"]}\n", "moons.geojson"),
    "a polygon beyond the slide": (lambda text: text.replace(b"[10.0,10.0]", b"[-9e6,8e7]"), None),
    "a polygon without a place": (lambda text: text.replace(b"[10.0,10.0]", b"[NaN,1]"), "line 2"),
    "a polygon of words": (lambda text: text.replace(b"[10.0,10.0]", b'["a","b"]'), "line 2"),
}


@pytest.mark.parametrize(("damage", "words"), DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_geojson_is_told(
    show: Callable[..., TestClient],
    out: Path,
    slide_path: Path,
    damage: Callable[[bytes], bytes | None],
    words: str | None,
) -> None:
    path = out / "discs" / "moons" / "moons.geojson"
    damaged = damage(path.read_bytes())
    path.unlink() if damaged is None else path.write_bytes(damaged)
    client = show(out, slide=slide_path, layers=open_layers)

    said = opened(client)

    told = [each["detail"] for each in said["problems"] if each["code"] == "geojson"]
    assert len(told) == (words is not None)
    assert all(str(words) in each and str(out) not in each and "Traceback" not in each for each in told)
    assert client.get("/s/0/slide/0/0_0.jpg").status_code == 200
    assert client.get("/s/0/layer/0/0/0/0_0.png").status_code == (404 if words else 200)
    assert client.get("/s/0/at?x=20&y=20&r=0").status_code == 200


def test_each_kind_of_layer_is_drawn_where_it_is(show: Callable[..., TestClient], out: Path) -> None:
    client = show(out, layers=open_layers)
    opened(client)

    for layer, place in {"0": (10, 20), "1": (40, 40), "2": (20, 20), "3": (10, 20), "not-seen": (150, 30)}.items():
        tile = Image.open(io.BytesIO(client.get(f"/s/0/layer/0/{layer}/0/0_0.png").content)).convert("RGBA")
        drawn = np.asarray(tile)[..., 3] > 0
        assert tile.size == (300, 220)
        x, y = place
        assert drawn[y - 8 : y + 9, x - 8 : x + 9].any(), layer
        assert not drawn[200:, :20].all(), layer
    found = client.get("/s/0/at?x=20&y=20&r=0").json()["found"]
    assert {"layer": "0", "name": "full", "numbers": {"Area": 400.0},
            "outline": [[10, 10], [30, 10], [30, 30], [10, 30]]} in found  # fmt: skip


def test_tiles_of_slide_and_layers_are_of_one_size(
    show: Callable[..., TestClient], write: Callable[..., Path], pyramid: Callable[..., Path], tmp_path: Path
) -> None:
    slide = pyramid(tmp_path / "a.tif", np.full((1027, 1602, 3), 200, np.uint8), {3: (534, 342)})
    client = show(write(tmp_path / "out", slide), slide=slide, layers=open_layers)
    opened(client)

    for z, columns, rows in ((0, 4, 3), (1, 2, 2), (2, 1, 1)):
        for place in [f"{z}/{x}_{y}" for x in range(columns) for y in range(rows)]:
            names = [f"slide/{place}.jpg", *(f"layer/0/{layer}/{place}.png" for layer in (0, 1, 2, 3, "not-seen"))]
            pictures = [Image.open(io.BytesIO(client.get(f"/s/0/{name}").content)) for name in names]
            assert len({picture.size for picture in pictures}) == 1
