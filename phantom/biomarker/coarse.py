"""Nuclei where a pixel holds several: the part of each place that they cover, instead of one by one."""

from typing import NamedTuple

import numpy as np

from histoserve.phantom.biomarker.section import Section
from histoserve.phantom.biomarker.tissue import BiomarkerTissue
from histoserve.phantom.he.ground import Plane
from histoserve.phantom.he.nuclei import EPITHELIAL, INFLAMMATORY, SPINDLE
from histoserve.phantom.lesion.cells import LESION_TYPE
from histoserve.phantom.noise import Floats, spline

_SPECKLE = 2250
_IN_GLAND, _IN_NEST = 0.55, 0.50
"""Part that is covered at most."""


class Coverage(NamedTuple):
    """Parts 0-1 of places that nuclei cover, (h, w) each."""

    of_type: dict[int, Plane]
    """By number of the type."""
    shares: Plane
    """Of the tumour cells that express each marker, (markers, h, w)."""


def coverage(section: Section, x: Floats, y: Floats) -> Coverage:
    """At the crossings of the slide's columns x and rows y, µm; uneven as single cells would make it."""
    tissue = section.tissue

    def fields(at_x: Floats, at_y: Floats) -> list[Floats]:
        shares = section.expression.shares(at_x.ravel(), at_y.ravel()).reshape(-1, *at_x.shape)
        return [*_covered(tissue, at_x, at_y), *shares]

    planes = section.ground.on_nodes(fields, x, y, 3 * section.mpp)
    kinds = (INFLAMMATORY, EPITHELIAL, SPINDLE, LESION_TYPE)
    # Each section has cells of its own.
    uneven = 1 + np.float32(0.5) * spline(tissue.sown, _SPECKLE, max(9.0, 1.2 * section.mpp), x, y)
    covered = {kind: np.clip(plane * uneven, 0, 1) for kind, plane in zip(kinds, planes, strict=False)}
    return Coverage(covered, np.stack(planes[len(kinds) :]))


def _covered(tissue: BiomarkerTissue, x: Floats, y: Floats) -> list[Floats]:
    """Parts covered by inflammatory, epithelial, spindle and tumour nuclei."""
    depth, hollow = tissue.epithelium(x, y)
    nest = np.minimum(tissue.growth.depth(x, y) / 6, 1)
    solid = np.clip(np.minimum(hollow, tissue.inside(x, y)) / 6, 0, 1)
    crowd = tissue.crowd(x, y)
    outside = np.clip(-depth / 4, 0, 1) * np.clip(tissue.inside(x, y) / 6, 0, 1)
    in_nest = np.clip(nest, 0, 1) * solid
    in_gland = np.clip(np.minimum(depth / 4, (32 - depth) / 8), 0, 1) * solid * (1 - np.clip(nest, 0, 1))
    return [
        outside * (0.03 + 0.5 * crowd),
        _IN_GLAND * in_gland,
        outside * 0.09 * (1 - crowd),
        _IN_NEST * in_nest,
    ]
