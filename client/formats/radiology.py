"""Single-frame DICOM of CT or MR.

stored values ─ rescale slope and intercept ─▶ ─ the file's window, else 1st to 99th percentile ─▶ grey of 8 bits
"""

import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.errors import InvalidDicomError
from pydicom.pixels.processing import apply_modality_lut
from pydicom.uid import DeflatedExplicitVRLittleEndian

from histoserve.client.errors import SlideError
from histoserve.client.formats.plain import LARGEST_BYTES, LARGEST_PX, PlainImage
from histoserve.client.resolution import SQUARE_TOLERANCE
from histoserve.client.slide import printable

GREY = ("MONOCHROME1", "MONOCHROME2")
"""The second is dark for low values."""

PERCENTILES = (1, 99)
"""Of the values that become black and white where the file has no window: a bright marker decides nothing."""

PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")

# What is wrong with a file's tags is told by an exception, or does not matter; warnings would print what they hold.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
logging.getLogger("pydicom").addHandler(logging.NullHandler())
logging.getLogger("pydicom").propagate = False


def open_dicom(path: Path) -> PlainImage:
    """Raises SlideError, with the first property that is not supported."""
    name = printable(path)
    try:
        data = _read(path, name)
        _check(data, name)
        values = _values(data, name)
        grey, how = _eight_bits(data, values, name)
    except SlideError:
        raise
    # Tags hold anything: pydicom looks at them when they are asked for.
    except Exception as error:
        raise SlideError(f"{name} is a damaged DICOM file ({type(error).__name__}); copy it again.") from error
    slide = PlainImage(path, np.repeat(grey[..., None], 3, axis=2))
    slide.grey = how
    spacing = how["spacing_mm"]
    if spacing and max(spacing) > (1 + SQUARE_TOLERANCE) * min(spacing):
        slide.warnings.append(
            f"The file's pixels are {spacing[1]:g} mm wide and {spacing[0]:g} mm high: directions are those of its px."
        )
    return slide


def _read(path: Path, name: str) -> pydicom.Dataset:
    if path.stat().st_size > LARGEST_BYTES:
        raise SlideError(f"{name} has over {LARGEST_BYTES} bytes, too many for one picture of CT or MR.")
    try:
        # Inflated as a whole before anything is known of its size.
        if pydicom.filereader.read_file_meta_info(path).get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
            raise _compressed(name, "deflate")
        return pydicom.dcmread(path)
    except InvalidDicomError as error:
        raise SlideError(f"{name} begins as DICOM and is none; copy it again.") from error


def _check(data: pydicom.Dataset, name: str) -> None:
    if not any(each in data for each in PIXELS):
        raise SlideError(f"{name} is a DICOM file without pixels; give one image of CT or MR.")
    frames, colours = int(data.get("NumberOfFrames") or 1), int(data.get("SamplesPerPixel") or 1)
    kind = str(data.get("PhotometricInterpretation"))
    if frames != 1:
        raise SlideError(f"{name} is a DICOM file of {frames} frames; give files of one frame each.")
    if colours != 1 or kind not in GREY:
        raise SlideError(f"{name} is a DICOM image in colour ({kind}), and CT and MR are grey; save it as PNG.")
    rows, columns = int(data.Rows), int(data.Columns)
    if not 0 < rows * columns <= LARGEST_PX:
        raise SlideError(f"{name} states {columns}×{rows} px; 1 to {LARGEST_PX} can be held in memory.")


def _values(data: pydicom.Dataset, name: str) -> NDArray[np.float64]:
    """(H, W) after the rescale."""
    syntax = data.file_meta.TransferSyntaxUID
    try:
        stored = data.pixel_array
    except Exception as error:
        if syntax.is_compressed:
            raise _compressed(name, syntax.name) from error
        raise SlideError(f"{name} has fewer pixels than it states ({error}); copy it again.") from error
    values = np.asarray(apply_modality_lut(stored, data), np.float64)
    if values.shape != (int(data.Rows), int(data.Columns)) or not np.isfinite(values).all():
        raise SlideError(f"{name} has values that are no finite numbers; copy it again.")
    return values


def _eight_bits(
    data: pydicom.Dataset, values: NDArray[np.float64], name: str
) -> tuple[NDArray[np.uint8], dict[str, Any]]:
    """And how, for `result.json`."""
    window = _window(data)
    if window:
        centre, width, function = window
        share = _windowed(values, centre, width, function)
        how: dict[str, Any] = {"from": "window", "centre": centre, "width": width, "function": function}
    else:
        low, high = _percentiles(_seen(data, values), name)
        share = (values - low) / (high - low)
        how = {"from": "percentiles", "low": low, "high": high}
    inverted = data.PhotometricInterpretation == "MONOCHROME1"
    grey = np.rint(share.clip(0, 1) * 255).astype(np.uint8)
    spacing = data.get("PixelSpacing")
    how |= {
        "slope": float(data.get("RescaleSlope") or 1),
        "intercept": float(data.get("RescaleIntercept") or 0),
        "inverted": inverted,
        "spacing_mm": [float(each) for each in spacing] if spacing else None,
    }
    return 255 - grey if inverted else grey, how


def _window(data: pydicom.Dataset) -> tuple[float, float, str] | None:
    """Centre, width and function of the first window; None for none, or one that is none."""
    try:
        centre, width = (float(np.atleast_1d(data[each].value)[0]) for each in ("WindowCenter", "WindowWidth"))
    except (KeyError, IndexError, TypeError, ValueError):
        return None
    function = str(data.get("VOILUTFunction") or "LINEAR")
    least = 1 if function == "LINEAR" else math.ulp(0)
    return (centre, width, function) if math.isfinite(centre) and least <= width < math.inf else None


def _windowed(values: NDArray[np.float64], centre: float, width: float, function: str) -> NDArray[np.float64]:
    """Shares of white, as DICOM PS3.3 C.11.2.1.2 and C.11.2.1.3 define them."""
    if function == "SIGMOID":
        return 1 / (1 + np.exp((-4 * (values - centre) / width).clip(-700, 700)))
    if function == "LINEAR_EXACT":
        return (values - centre) / width + 0.5
    if width == 1:
        return (values > centre - 0.5).astype(np.float64)
    return (values - (centre - 0.5)) / (width - 1) + 0.5


def _seen(data: pydicom.Dataset, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Without what only fills the square around a round picture, if the file says what that is."""
    padding = data.get("PixelPaddingValue")
    if padding is None:
        return values
    filled = float(padding) * float(data.get("RescaleSlope") or 1) + float(data.get("RescaleIntercept") or 0)
    seen = values[values != filled]
    return seen if seen.size else values


def _percentiles(values: NDArray[np.float64], name: str) -> tuple[float, float]:
    low, high = (float(each) for each in np.percentile(values, PERCENTILES))
    if low == high:
        # Nearly all of it is background.
        low, high = float(values.min()), float(values.max())
    if low == high:
        raise SlideError(f"{name} has one value in all pixels ({low:g}): there is nothing to look at.")
    return low, high


def _compressed(name: str, how: str) -> SlideError:
    return SlideError(f"{name} is compressed in a way that cannot be read here ({how}); save it uncompressed.")
