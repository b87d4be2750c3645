"""What is no slide at all is told in one line and at once."""

import os
import socket
from pathlib import Path

import numpy as np
import pytest
import tifffile

from histoserve.client.errors import SlideError
from histoserve.client.slide import open_slide


def test_pipes_sockets_and_devices_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.svs")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.svs"))
        for path in (tmp_path / "pipe.svs", tmp_path / "socket.svs", Path("/dev/null"), Path("/dev/zero")):
            with pytest.raises(SlideError, match="no file but a pipe, socket or device"):
                open_slide(path)


def test_a_pipe_behind_standard_input_is_refused() -> None:
    out, into = os.pipe()
    try:
        with pytest.raises(SlideError, match="pipe"):
            open_slide(Path(f"/dev/fd/{out}"))
    finally:
        os.close(out)
        os.close(into)


def test_links_without_end_long_names_and_missing_files(tmp_path: Path) -> None:
    (tmp_path / "loop.svs").symlink_to("loop.svs")
    (tmp_path / "empty.svs").touch()
    for name, words in {
        "loop.svs": "cannot be read: Too many levels of symbolic links",
        "x" * 300: "cannot be read: File name too long",
        "missing.svs": "does not exist",
        "empty.svs": "is empty",
    }.items():
        with pytest.raises(SlideError, match=words):
            open_slide(tmp_path / name)


def test_a_name_that_is_not_utf8_is_printed_with_its_bytes_escaped(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9 \xff.tif")
    path = tmp_path / name
    tifffile.imwrite(path, [[[10, 20, 30]]] * 9, dtype="uint8", photometric="rgb")

    with open_slide(path) as slide:
        assert slide.name == "caf\\xe9 \\xff.tif"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(SlideError) as refused:
        open_slide(path)
    assert "caf\\xe9" in str(refused.value).encode("utf-8").decode()


BEGINNINGS = (b"II*\0", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08\xff\xff", b"II+\0" + bytes(12), b"II*\0\xff\xff\xff\xff")


@pytest.mark.parametrize("content", BEGINNINGS)
def test_a_tiff_of_nothing_but_its_beginning_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tif").write_bytes(content)

    with pytest.raises(SlideError, match="damaged") as refused:
        open_slide(tmp_path / "a.tif")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("d1.ome.tif", r"3 pages that could each be the image \(1200×1000\).*SizeC 3"),
        ("d2.tif", r"2 pages that could each be the image \(1200×1000\)"),
        ("d4.tif", "5 samples a pixel"),
        ("e.tif", "16 bits of which 12 are used"),
        ("h.tif", "compression JPEG2000"),
        ("i.tif", "number 1.*beyond the file's end"),
        ("q1.tif", "compression ZSTD"),
        ("q2.tif", "32 bits a sample"),
    ],
)
def test_an_odd_slide_that_is_not_supported_is_refused_by_name(odd: Path, name: str, words: str) -> None:
    with pytest.raises(SlideError, match=words):
        open_slide(odd / name)


@pytest.mark.parametrize(
    ("name", "turns", "mpp", "difference"),
    [
        ("d3.tif", 1, 0.25, 2.0),
        ("f.tif", 1, None, 0.0),
        ("g1.tif", -1, None, 0.0),
        ("g2.tif", -1, 0.25, 0.0),
        ("i0.tif", 1, None, 0.0),
        ("o.svs", 1, 0.2339, 2.0),
        ("p.tif", 1, None, 0.0),
        ("q3.ome.tif", 1, 0.25, 0.0),
    ],
)
def test_an_odd_slide_that_is_supported_shows_the_picture(
    odd: Path, name: str, turns: int, mpp: float | None, difference: float
) -> None:
    with open_slide(odd / "he.tiff") as he, open_slide(odd / name) as slide:
        expected = he.read((0, 0, 1200, 1000), 0)[::turns, ::turns]
        found = slide.read((0, 0, 1200, 1000), 0)
        assert (slide.l0_size, slide.stated_mpp) == ((1200, 1000), (mpp, mpp) if mpp else None)

    assert np.abs(found.astype(int) - expected).mean() <= difference


def test_a_slide_with_a_padded_level_is_read_at_the_place(odd: Path) -> None:
    with open_slide(odd / "he.tiff") as he, open_slide(odd / "b.tif") as slide:
        found = slide.read((3700, 200, 1200, 1000), 0).astype(int)
        assert slide.downsamples == (1,)
        assert np.abs(found - he.read((0, 0, 1200, 1000), 0)).mean() < 2
