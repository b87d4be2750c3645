"""The simulated scanner before a real Triton: what it ends with is what the whole file gives, tile for tile."""

import subprocess
import sys
from pathlib import Path

import pytest

from histoserve.client.servers import Servers
from histoserve.client.session import Session
from histoserve.client.slide import open_slide
from histoserve.client.travel.encode import Encoding, encode
from histoserve.client.travel.reading import Pixels, read_into
from histoserve.client.wire import Server
from histoserve.client.work import work_for
from histoserve.deploy.local.triton import LocalTriton
from histoserve.phantom import write_phantom

SIZE = (800, 700)
EXAMPLE = Path(__file__).parents[2] / "examples" / "scanner.py"


@pytest.mark.parametrize(("pipeline", "mpp"), [("nuclei", 0.5), ("peakmap", 0.5), ("tissue", 1.5)])
def test_late_repeated_and_rescanned_tiles_do_not_show(
    server: LocalTriton, tmp_path: Path, pipeline: str, mpp: float
) -> None:
    slide_path = tmp_path / "he.tiff"
    write_phantom(slide_path, kind="he", size=SIZE, mpp=mpp, seed=4, truth=None)
    told = subprocess.run(
        [sys.executable, EXAMPLE, server.grpc, pipeline, slide_path, str(mpp)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert told.returncode == 0, told.stderr
    *strips, last = told.stdout.splitlines()

    wire = Servers([Server(server.grpc)], 300)
    with open_slide(slide_path) as slide:
        work = work_for(wire.contract(pipeline), mpp, slide.l0_size)
        with Session(wire, work) as session:
            read_into(session, Pixels(lambda tile: encode(slide.read(tile.region, 0), Encoding())))
            whole = session.finish()
    assert last.startswith(f"result: {whole} ")
    assert len(strips) == -(-SIZE[1] // 256)
    assert str(whole) not in strips[0]
