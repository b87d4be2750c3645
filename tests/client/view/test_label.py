"""The pictures of a slide's label and of the whole glass bear names: they are in no answer."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openslide
import pytest
import tifffile
from starlette.testclient import TestClient

NAMES = ("label", "macro", "thumbnail")


@pytest.fixture
def slide(shared: Path) -> Path:
    """A slide with a label, of the whole glass, and a thumbnail."""
    path = shared / "slides" / "CMU-1-Small-Region.svs"
    assert set(openslide.OpenSlide(path).associated_images) == set(NAMES)
    return path


def secret_parts(path: Path) -> Iterator[bytes]:
    """32 bytes from the middle of each strip of all pages but the slide's own, and of these pages' pixels."""
    with tifffile.TiffFile(path) as tiff:
        for page in tiff.pages[1:]:
            for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):  # type: ignore[union-attr]
                tiff.filehandle.seek(offset + count // 2)
                yield tiff.filehandle.read(32)
    for image in openslide.OpenSlide(path).associated_images.values():
        pixels = np.asarray(image.convert("RGB"))
        yield pixels[pixels.shape[0] // 2, pixels.shape[1] // 2 :].tobytes()[:60]


def addresses() -> Iterator[str]:
    yield from ("/", "/s/0/", "/s/0/description.json", "/s/0/at?x=9&y=9&r=0")
    for z in range(4):
        for x in range(5):
            for y in range(6):
                yield f"/s/0/slide/{z}/{x}_{y}.jpg"
                yield f"/s/0/layer/0/0/{z}/{x}_{y}.png"
    for name in NAMES:
        yield from (f"/s/0/{name}", f"/s/0/{name}.jpg", f"/s/0/slide/{name}.jpg", f"/files/{name}.jpg")
        yield from (f"/s/0/?image={name}", f"/s/0/slide/0/0_0.jpg?associated={name}")


def test_neither_label_nor_glass_is_in_any_answer(
    slide: Path, show: Callable[..., TestClient], write: Callable[..., Path], tmp_path: Path
) -> None:
    secrets = set(secret_parts(slide))
    client = show(write(tmp_path / "out", slide, mpp=0.499), slide=slide)

    answers: dict[str, Any] = {address: client.get(address) for address in addresses()}

    assert sum(answer.status_code == 200 for answer in answers.values()) > 40
    assert len(secrets) > 5
    for address, answer in answers.items():
        assert not [each for each in secrets if each in answer.content], address
        if any(f"{name}.jpg" in address or address.endswith(f"/{name}") for name in NAMES):
            assert answer.status_code == 404
