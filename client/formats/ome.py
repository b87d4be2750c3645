"""What OME-XML in a TIFF says of the image."""

import xml.etree.ElementTree as ElementTree

import tifffile

UM = {"m": 1e6, "cm": 1e4, "mm": 1e3, "µm": 1.0, "μm": 1.0, "um": 1.0, "nm": 1e-3, "pm": 1e-6, "Å": 1e-4, "in": 25400.0}
"""µm per unit of length in OME-XML; the two letters for micro differ."""


def _pixels(tiff: tifffile.TiffFile) -> ElementTree.Element | None:
    if not tiff.is_ome or not tiff.ome_metadata or "<!DOCTYPE" in tiff.ome_metadata:
        return None
    try:
        root = ElementTree.fromstring(tiff.ome_metadata)
    except ElementTree.ParseError:
        return None
    return next((each for each in root.iter() if each.tag.endswith("}Pixels") or each.tag == "Pixels"), None)


def ome_axes(tiff: tifffile.TiffFile) -> str:
    """How many channels, focal planes and time points it states, in brackets; empty without OME-XML."""
    pixels = _pixels(tiff)
    if pixels is None:
        return ""
    return " (" + ", ".join(f"Size{axis} {pixels.get(f'Size{axis}', '?')}" for axis in "CZT") + ")"


def ome_mpp(tiff: tifffile.TiffFile) -> tuple[float, float] | None:
    """µm/px across and down of the first image, which is the full one; None if unknown or of an unknown unit."""
    pixels = _pixels(tiff)
    if pixels is None:
        return None
    sizes = []
    for axis in "XY":
        unit = UM.get(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
        try:
            size = float(pixels.get(f"PhysicalSize{axis}", "nan"))
        except ValueError:
            return None
        if unit is None or not 0 < size < float("inf"):
            return None
        sizes.append(size * unit)
    return sizes[0], sizes[1]
