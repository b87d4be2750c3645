"""Stored JPEGs before a real Triton: the same rows as of pixels, to the byte, and less that travels."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tifffile

from histoserve.deploy.local.triton import LocalTriton
from histoserve.phantom import write_phantom


@pytest.fixture
def analyzed(histoserve: Callable[..., tuple[int, str]], server: LocalTriton, tmp_path: Path) -> Callable[..., Any]:
    """A slide by `stored` and by `raw` → the folders of both results and their `result.json`."""

    def run(slide: Path, pipeline: str, *more: object, ends: int = 0) -> list[tuple[Path, dict[str, Any]]]:
        found = []
        for encoding in ("stored", "raw"):
            out = tmp_path / encoding
            code, said = histoserve(
                "analyze",
                slide,
                "--pipeline",
                pipeline,
                "--server",
                server.grpc,
                "-o",
                out,
                "--encoding",
                encoding,
                *more,
            )
            assert code == ends, said
            folder = next(out.glob(f"*/{pipeline}"))
            found.append((folder, json.loads((folder / "result.json").read_text())))
        return found

    return run


def assert_same(one: Path, other: Path) -> None:
    names = {path.relative_to(one) for path in one.rglob("*") if path.is_file() and path.name != "result.json"}
    assert names
    assert all((one / name).read_bytes() == (other / name).read_bytes() for name in names)


@pytest.mark.parametrize(("pipeline", "mpp"), [("nuclei", 0.25), ("peakmap", 0.25), ("tissue", 1.0)])
def test_a_slide_gives_the_same_bytes_however_it_travels(
    analyzed: Callable[..., Any], tmp_path: Path, pipeline: str, mpp: float
) -> None:
    write_phantom(tmp_path / "he.tiff", kind="he", size=(1300, 900), mpp=mpp, seed=4, truth=None)
    (stored, of_stored), (raw, of_raw) = analyzed(tmp_path / "he.tiff", pipeline)

    assert (of_stored["encoding"], of_raw["encoding"]) == ("stored", "raw")
    assert of_stored["result"] == of_raw["result"]
    assert of_stored["slide"]["warnings"] == of_raw["slide"]["warnings"]
    assert_same(stored, raw)
    sent = [each["transfer"][f"{pipeline}_tiles"]["sent_bytes"] for each in (of_stored, of_raw)]
    assert sent[0] < sent[1] / 2


def test_a_dicom_slide_too(analyzed: Callable[..., Any], shared: Path) -> None:
    slide = shared / "slides/dicom_jpeg/multi_frame_jpeg_camelyon_challenge_image.dcm"
    (stored, of_stored), (raw, of_raw) = analyzed(slide, "nuclei", "--mpp", 0.25)

    assert (of_stored["encoding"], of_raw["encoding"]) == ("stored", "raw")
    assert of_stored["result"] == of_raw["result"]
    assert_same(stored, raw)


def test_what_the_server_refuses_is_read_as_pixels_and_told(analyzed: Callable[..., Any], tmp_path: Path) -> None:
    write_phantom(tmp_path / "whole.tiff", kind="he", size=(1300, 900), mpp=0.25, seed=4, truth=None)
    shutil.copy(tmp_path / "whole.tiff", tmp_path / "damaged.tiff")
    # A scan that ends too early: OpenSlide cannot read it either.
    with tifffile.TiffFile(tmp_path / "whole.tiff") as tiff:
        page = tiff.pages[0]
        length, start = max(zip(page.databytecounts, page.dataoffsets, strict=True))
    with (tmp_path / "damaged.tiff").open("r+b") as file:
        file.seek(start + length // 2)
        file.write(b"\xff\xd9" * (length // 4))
    (stored, of_stored), (raw, of_raw) = analyzed(tmp_path / "damaged.tiff", "nuclei", ends=3)

    assert of_stored["tiles"]["failed"]
    assert of_stored["tiles"]["failed"] == of_raw["tiles"]["failed"]
    assert any("were read as pixels" in each for each in of_stored["slide"]["warnings"])
    assert of_stored["result"] == of_raw["result"]
    assert_same(stored, raw)
