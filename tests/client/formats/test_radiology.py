"""CT and MR from made-up DICOM files: grey by the file's window or by percentiles, and what is refused in one line."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from histoserve.client.errors import SlideError
from histoserve.client.gather import gather
from histoserve.client.slide import Slide, open_slide

RAMP = np.arange(12 * 16, dtype=np.int16).reshape(12, 16) * 10 - 1000


def dataset(values: np.ndarray = RAMP, **tags: Any) -> FileDataset:
    """One frame of CT, signed 16 bits."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
    data.SOPClassUID, data.SOPInstanceUID, data.Modality = CTImageStorage, meta.MediaStorageSOPInstanceUID, "CT"
    data.SeriesInstanceUID = "1.2.3"
    data.Rows, data.Columns = values.shape[:2]
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = values.dtype.itemsize * 8
    data.HighBit, data.PixelRepresentation = data.BitsStored - 1, int(values.dtype.kind == "i")
    data.PixelData = values.tobytes()
    for name, value in tags.items():
        setattr(data, name, value)
    return data


def opened(path: Path, data: FileDataset) -> tuple[Slide, np.ndarray]:
    data.save_as(path, enforce_file_format=True)
    slide = open_slide(path)
    return slide, slide.read((0, 0, *slide.l0_size), 0)[..., 0]


def test_the_files_window_decides_after_the_rescale(tmp_path: Path) -> None:
    tags = {"RescaleSlope": 2, "RescaleIntercept": -24, "WindowCenter": [40, 400], "WindowWidth": [401, 1000]}
    slide, grey = opened(tmp_path / "ct.dcm", dataset(**tags, PixelSpacing=[0.7, 0.7]))

    houndsfield = RAMP * 2.0 - 24
    wanted = np.rint(np.clip((houndsfield - 39.5) / 400 + 0.5, 0, 1) * 255)
    np.testing.assert_array_equal(grey, wanted)
    assert slide.grey == {
        "from": "window", "centre": 40, "width": 401, "function": "LINEAR",
        "slope": 2, "intercept": -24, "inverted": False, "spacing_mm": [0.7, 0.7],
    }  # fmt: skip
    assert (slide.l0_size, slide.stated_mpp) == ((16, 12), None)


@pytest.mark.parametrize("tags", [{}, {"WindowCenter": 40, "WindowWidth": 0}, {"WindowCenter": [], "WindowWidth": []}])
def test_without_a_window_the_percentiles_do(tmp_path: Path, tags: dict[str, Any]) -> None:
    slide, grey = opened(tmp_path / "mr.dcm", dataset(**tags))

    low, high = np.percentile(RAMP, (1, 99))
    assert slide.grey is not None
    assert (slide.grey["from"], slide.grey["low"], slide.grey["high"]) == ("percentiles", low, high)
    np.testing.assert_array_equal(grey, np.rint(np.clip((RAMP - low) / (high - low), 0, 1) * 255))


def test_what_only_fills_the_square_decides_nothing(tmp_path: Path) -> None:
    padded = RAMP.copy()
    padded[:4] = -3000
    slide, grey = opened(tmp_path / "ct.dcm", dataset(padded, PixelPaddingValue=-3000))
    assert slide.grey is not None
    assert slide.grey["low"] == np.percentile(RAMP[4:], 1)
    assert (grey[:4] == 0).all()


def test_pixels_that_are_no_squares_are_told(tmp_path: Path) -> None:
    slide, _ = opened(tmp_path / "mr.dcm", dataset(PixelSpacing=[3, 1]))
    assert slide.warnings == ["The file's pixels are 1 mm wide and 3 mm high: directions are those of its px."]


def test_unsigned_16_bits_a_lone_spot_and_inverted_grey(tmp_path: Path) -> None:
    spot = np.zeros((20, 20), np.uint16)
    spot[3, 4] = 65535
    _, grey = opened(tmp_path / "spot.dcm", dataset(spot))
    assert (grey[3, 4], grey.sum()) == (255, 255)

    slide, inverted = opened(tmp_path / "one.dcm", dataset(spot, PhotometricInterpretation="MONOCHROME1"))
    np.testing.assert_array_equal(inverted, 255 - grey)
    assert slide.grey is not None
    assert slide.grey["inverted"]


@pytest.mark.parametrize(("function", "share"), [("SIGMOID", 1 / (1 + np.exp(-4 * 50 / 200))), ("LINEAR_EXACT", 0.75)])
def test_other_functions_of_a_window(tmp_path: Path, function: str, share: float) -> None:
    values = np.full((8, 8), 150, np.int16)
    tags = {"WindowCenter": 100, "WindowWidth": 200, "VOILUTFunction": function}
    _, grey = opened(tmp_path / "ct.dcm", dataset(values, **tags))
    assert (grey == round(share * 255)).all()


def test_run_lengths_are_read(tmp_path: Path) -> None:
    data = dataset()
    data.compress(RLELossless)
    _, grey = opened(tmp_path / "rle.dcm", data)
    assert len(np.unique(grey)) > 100


def without_pixels(data: FileDataset) -> None:
    del data.PixelData


def in_colour(data: FileDataset) -> None:
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PlanarConfiguration = 3, "RGB", 0


def several_frames(data: FileDataset) -> None:
    data.NumberOfFrames, data.PixelData = 2, data.PixelData * 2


def compressed(data: FileDataset) -> None:
    data.file_meta.TransferSyntaxUID = JPEGLSLossless
    data.PixelData = encapsulate([bytes(100)])
    data["PixelData"].VR = "OB"


def cut_short(data: FileDataset) -> None:
    data.PixelData = data.PixelData[:100]


def of_one_value(data: FileDataset) -> None:
    data.PixelData = bytes(2 * RAMP.size)


def huge(data: FileDataset) -> None:
    data.Rows = data.Columns = 65535


BAD = {
    without_pixels: "is a DICOM file without pixels; give one image of CT or MR",
    in_colour: r"is a DICOM image in colour \(RGB\), and CT and MR are grey; save it as PNG",
    several_frames: "is a DICOM file of 2 frames; give files of one frame each",
    compressed: r"is compressed in a way that cannot be read here \(JPEG-LS.*\); save it uncompressed",
    cut_short: "has fewer pixels than it states",
    of_one_value: r"has one value in all pixels \(0\): there is nothing to look at",
    huge: "states 65535×65535 px; 1 to 268435456 can be held",
}


@pytest.mark.parametrize("spoil", BAD, ids=lambda spoil: spoil.__name__)
def test_what_cannot_be_read_is_told_in_one_sentence(tmp_path: Path, spoil: Callable[[FileDataset], None]) -> None:
    data = dataset()
    spoil(data)
    with pytest.raises(SlideError, match=rf"bad.dcm {BAD[spoil]}") as told:
        opened(tmp_path / "bad.dcm", data)
    assert "\n" not in str(told.value)


def test_whatever_is_behind_the_magic_is_told_or_read(tmp_path: Path) -> None:
    random, path = np.random.default_rng(1), tmp_path / "any.dcm"
    dataset().save_as(path, enforce_file_format=True)
    whole = path.read_bytes()
    for _ in range(60):
        spoilt = bytearray(whole)
        for place in random.integers(132, len(whole) - RAMP.nbytes, 6):
            spoilt[place] = random.integers(256)
        path.write_bytes(spoilt[: random.integers(132, len(whole))])
        with suppress(SlideError):
            open_slide(path).close()


def test_each_image_of_a_series_is_one_of_its_own(tmp_path: Path) -> None:
    for number in range(3):
        dataset(InstanceNumber=number).save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)
    assert len(gather([tmp_path], print)) == 3
