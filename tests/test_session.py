"""A session fed as by a scanner, before a real Triton: any order, repeats and a gap give the result of `analyze`."""

import random
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from histoserve.client.analyze import Order, analyze, look_once
from histoserve.client.plan import Wanted, make_plan
from histoserve.client.prepared import prepared
from histoserve.client.resolution import Resolution
from histoserve.client.servers import Servers
from histoserve.client.session import Session
from histoserve.client.slide import open_slide
from histoserve.client.travel.block import Picture
from histoserve.client.travel.encode import Encoding, encode
from histoserve.client.wire import Server
from histoserve.deploy.local.triton import LocalTriton
from histoserve.phantom import write_phantom


class Silent:
    def phase(self, text: str) -> None: ...

    def planned(self, tiles: int) -> None: ...

    def done(self, tiles: int) -> None: ...

    def say(self, text: str) -> None: ...


@pytest.mark.parametrize("pipeline", ["nuclei", "peakmap"])
def test_pictures_in_any_order_with_repeats_and_a_gap(pipeline: str, server: LocalTriton, tmp_path: Path) -> None:
    write_phantom(tmp_path / "he.tiff", kind="he", size=(700, 600), mpp=0.25, seed=4, truth=None)
    order, wire = Order(tmp_path / "he.tiff", pipeline, tmp_path / "out"), Servers([Server(server.grpc)], 300)
    whole: dict[str, Any] = analyze(order, lambda: nullcontext(wire), Silent()).result["result"]

    with open_slide(order.slide) as slide:
        look = lambda: look_once(slide, 0.25, print)  # noqa: E731
        whole_slide = prepared(slide, order.preparation)
        wanted = Wanted(order.in_flight, order.batch, order.preparation)
        plan = make_plan(whole_slide, wanted, Resolution(0.25, "slide"), wire.contract(pipeline), look)
        pictures = [Picture(t, encode(slide.read(t.region, plan.level), Encoding())) for t in plan.work.tiles]
    last, *others = random.Random(1).sample(pictures, len(pictures))
    with Session(wire, plan.work) as session:
        for picture in [*others, *others]:
            session.push(picture)
        session.drain()
        assert session.missing() == [last.tile]
        assert session.partial(plan.tissue.mm2)["tissue_mm2"] < whole["tissue_mm2"]
        session.push(last)
        assert session.finish(plan.tissue.mm2) == whole
    assert session.sent == len(pictures)
