"""What a user gets wrong: one clear message, no traceback, no result, and the server goes on serving."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from histoserve.deploy.local.triton import LocalTriton

FAILED, WRONG_USAGE = 1, 2
SLIDES = {
    "slides/damaged/CMU-1-Small-Region.wrong-mpp.tiff": "claims 0.00499 µm/px, which is implausible.*--mpp",
    "slides/damaged/CMU-1-Small-Region.unsupported-compression.tiff": "Unsupported TIFF compression",
    "slides/damaged/unopenable.tiff": "OpenSlide cannot open .*unopenable.tiff",
    "slides/damaged/unreadable.svs": "Bogus marker length",
    "slides/TCGA-CR-7395-01A-01-TS1.svs": "does not say how large its pixels are.*--mpp",
    "slides/dicom_jpeg/multi_frame_jpeg_camelyon_challenge_image.dcm": "28.9.*0.25",
    "slides/missing.svs": "missing.svs does not exist",
    "README.md": "neither a slide",
}


@pytest.fixture
def analyze(histoserve: Callable[..., tuple[int, str]]) -> Callable[..., tuple[int, str]]:
    """`analyze(slide, out, server, *options)` → exit code, and what was said; no result may come."""

    def run(slide: Path, out: Path, server: str, *options: str) -> tuple[int, str]:
        told = histoserve("analyze", slide, "--pipeline", "nuclei", "-o", out, "--server", server, *options)
        assert not list(out.rglob("result.json"))
        return told

    return run


@pytest.mark.parametrize("name", SLIDES)
def test_a_slide_that_cannot_be_analysed(
    shared: Path, server: LocalTriton, analyze: Any, tmp_path: Path, name: str
) -> None:
    code, message = analyze(shared / name, tmp_path / "out", server.grpc)
    assert code == FAILED
    assert re.search(SLIDES[name], message), message
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def image(shared: Path) -> Path:
    return shared / "consep" / "train_04.png"


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ((), FAILED, "--mpp"),
        (("--mpp", "0.9"), FAILED, "0.9.*0.25"),
        (("--mpp", "nan"), WRONG_USAGE, "nan"),
        (("--mpp", "0.25", "--batch", "99"), WRONG_USAGE, "16"),
        (("--mpp", "0.25", "--encoding", "gif"), WRONG_USAGE, "gif.*raw.*jpeg"),
        (("--mpp", "0.25", "--pipeline", "nuclear"), WRONG_USAGE, "nuclear.*nuclei"),
    ],
)
def test_a_call_that_cannot_work(
    image: Path, server: LocalTriton, analyze: Any, tmp_path: Path, options: tuple[str, ...], code: int, words: str
) -> None:
    found, message = analyze(image, tmp_path / "out", server.grpc, *options)
    assert found == code, message
    assert re.search(words, message), message


def test_a_server_that_is_not_there(image: Path, analyze: Any, tmp_path: Path) -> None:
    code, message = analyze(image, tmp_path / "out", "127.0.0.1:1", "--mpp", "0.25")
    assert code == FAILED
    assert "No Triton server answers at 127.0.0.1:1" in message


def test_a_folder_that_cannot_be_written(image: Path, server: LocalTriton, analyze: Any) -> None:
    code, message = analyze(image, Path("/proc/out"), server.grpc, "--mpp", "0.25")
    assert code == FAILED
    assert "Nothing can be written to /proc/out" in message
