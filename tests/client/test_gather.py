"""From what a user names to slides."""

import os
from pathlib import Path

import pytest

from histoserve.client.errors import SlideError, WrongUsage
from histoserve.client.gather import gather


def made(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


def gathered(*named: Path) -> tuple[list[str], str]:
    remarks: list[str] = []
    slides = gather(named, remarks.append)
    return [slide.name for slide in slides], " ".join(remarks)


def test_a_folder_gives_what_ends_as_slides_do_by_name_and_tells_the_rest(tmp_path: Path) -> None:
    made(tmp_path, "b.svs", "A.TIFF", "c.mrxs", "c/Data0001.dat", "b.geojson", "notes.txt", ".hidden.svs", "out/o.png")

    names, remark = gathered(tmp_path)
    assert names == ["A.TIFF", "b.svs", "c.mrxs"]
    assert "3 slides; passed over the folders in it (out) and b.geojson, notes.txt" in remark


def test_a_named_file_is_a_slide_whatever_its_name_and_in_the_order_given(tmp_path: Path) -> None:
    made(tmp_path, "z.odd", "f/b.svs")

    assert gathered(tmp_path / "z.odd", tmp_path / "f", tmp_path / "missing.svs")[0] == [
        "z.odd",
        "b.svs",
        "missing.svs",
    ]


def test_the_same_slide_named_in_three_ways_comes_once(tmp_path: Path) -> None:
    made(tmp_path, "a.svs")
    (tmp_path / "link.svs").symlink_to(tmp_path / "a.svs")

    assert gathered(tmp_path / "a.svs", tmp_path / "." / "a.svs", tmp_path)[0] == ["a.svs"]


@pytest.mark.parametrize("other", ["y/a.svs", "x/a.tiff", "y/a.png"])
def test_two_slides_that_would_share_a_folder_are_refused_by_both_names(tmp_path: Path, other: str) -> None:
    made(tmp_path, "x/a.svs", other)

    with pytest.raises(WrongUsage, match=rf"x/a\.svs and .*{other} would both have their results in OUT/a/"):
        gathered(tmp_path / "x/a.svs", tmp_path / other)


def test_a_folder_without_slides_says_where_it_did_not_look(tmp_path: Path) -> None:
    made(tmp_path, "day1/a.svs", "day2/b.svs")

    with pytest.raises(WrongUsage, match=r"holds no slide.*not looked into day1, day2: name the folders themselves"):
        gathered(tmp_path)
    with pytest.raises(WrongUsage, match="No slide was named"):
        gathered()


def test_a_folder_that_cannot_be_read_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(self: Path) -> None:
        raise PermissionError(13, os.strerror(13))

    made(tmp_path, "a.svs")
    # Root reads everything.
    monkeypatch.setattr(Path, "iterdir", deny)
    with pytest.raises(SlideError, match=r"cannot be read: Permission denied"):
        gathered(tmp_path)


def test_the_files_of_one_dicom_slide_are_one_slide(shared: Path, tmp_path: Path) -> None:
    (whole,) = (shared / "slides" / "dicom_jpeg").glob("*.dcm")
    data = whole.read_bytes()
    (tmp_path / "level.dcm").write_bytes(data)
    (tmp_path / "label.dcm").write_bytes(data[:-1])
    (tmp_path / "unknown.dcm").write_bytes(b"no dicom")

    assert gathered(tmp_path)[0] == ["level.dcm", "unknown.dcm"]
