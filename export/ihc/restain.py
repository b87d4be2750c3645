"""An H&E tile whose nuclei are known, as if it had been stained for a marker: haematoxylin stays, DAB is laid on.

    H&E ─unmix─▶ haematoxylin ─▶ blue, paler, hollow ──────╮
    nuclei ─some positive─▶ brown inside, or around (HER2) ┴─▶ light

The shapes and textures are real; which nucleus is positive is drawn by lot, so nothing but the stain tells.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.export.nuclei.tiles import UNMIX

HAEMATOXYLIN = np.array([[0.86, 0.48, 0.18], [0.68, 0.58, 0.42]], np.float32)
"""Optical density (R, G, B) of the counterstain: the bluest, and the greyest."""
DAB = np.array([[0.22, 0.52, 0.82], [0.42, 0.60, 0.68]], np.float32)
"""Of 3,3'-diaminobenzidine, about what Ruifrok & Johnston (2001) measured: the most yellow, and the darkest."""
RIM_PX = 4
"""Of a vesicular nucleus."""


@dataclass(frozen=True)
class Staining:
    """How one slide took the stains."""

    counterstain: float
    """Haematoxylin, of what the H&E has."""
    ground: float
    """The same outside nuclei, of that: a counterstain leaves what lies between them almost clear."""
    hollow: float
    """How much of it the middle of a nucleus lacks: vesicular nuclei are rims."""
    glass: tuple[float, float, float]
    """Light (R, G, B) where nothing is, of 255."""
    dab: float
    """Density of a strong positive."""
    pale: float
    """Share of the positives that are pale."""
    haze: float
    """Density of DAB in the background."""
    membrane: bool
    """Around nuclei instead of in them (HER2)."""
    residue: float
    """Of the eosin, that stays as a tint of stroma."""
    hues: tuple[float, float]
    """Where between its two ends each dye lies, 0 to 1."""


def drawn_staining(random: np.random.Generator) -> Staining:
    """As laboratories differ."""
    lamp = random.uniform(0.84, 0.98)
    red, green, blue = (float(lamp * tint) for tint in random.normal((1, 0.99, 0.97), 0.013))
    return Staining(
        counterstain=float(np.exp(random.uniform(np.log(0.2), 0))),
        ground=random.uniform(0.1, 1.0),
        hollow=max(0.0, random.uniform(-0.6, 0.8)),
        glass=(red, green, blue),
        dab=random.uniform(0.8, 3.2),
        pale=random.uniform(0.0, 0.4),
        haze=max(0.0, random.normal(0.03, 0.05)),
        membrane=bool(random.random() < 0.2),
        residue=random.uniform(0.0, 0.2),
        hues=(random.uniform(0, 1), random.uniform(0, 1)),
    )


def restained(
    image: NDArray[np.uint8],
    instances: NDArray[np.int32],
    positive: NDArray[np.bool_],
    staining: Staining,
    random: np.random.Generator,
) -> NDArray[np.uint8]:
    """H&E (H, W, 3) with `instances` (H, W), `positive` of each label from 0 on → the stained tile, (H, W, 3)."""
    density = -np.log((image.astype(np.float32) + 1) / 256)
    amounts = (density.reshape(-1, 3) @ UNMIX.astype(np.float32)).reshape(image.shape).clip(0, None)
    chromatin = amounts[..., 0]
    strengths = staining.dab * np.exp(random.normal(0, 0.25, len(positive)))
    pale = random.random(len(positive)) < staining.pale
    paler = random.uniform(0.2, 0.45)
    strengths = np.where(positive, strengths * np.where(pale, paler, 1.0), 0.0)
    brown = _around(instances, strengths) if staining.membrane else _inside(instances, strengths, chromatin, random)
    brown = brown + staining.haze * (0.5 + amounts[..., 1].clip(0, 1)) * _clouds(image.shape[:2], random)
    inside = instances > 0
    deep = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 3)
    shape = np.where(inside, 1 - staining.hollow * ((deep - RIM_PX) / RIM_PX).clip(0, 1), staining.ground)
    # Where a person drew the outline is no edge in the picture.
    blue = staining.counterstain * chromatin * cv2.GaussianBlur(shape.astype(np.float32), (0, 0), 1.0)
    haematoxylin, dab = (
        ends[0] * (1 - hue) + ends[1] * hue for ends, hue in zip((HAEMATOXYLIN, DAB), staining.hues, strict=True)
    )
    tint = staining.residue * amounts[..., 1:2] * np.array([0.35, 0.5, 0.55], np.float32)
    light = np.exp(-(blue[..., None] * haematoxylin + brown[..., None] * dab + tint))
    noise = random.normal(0, random.uniform(0, 4), image.shape)
    return (light * (255 * np.array(staining.glass)) + noise).clip(0, 255).astype(np.uint8)


def _inside(
    instances: NDArray[np.int32],
    strengths: NDArray[np.float64],
    chromatin: NDArray[np.float32],
    random: np.random.Generator,
) -> NDArray[np.float32]:
    """Over the nuclei, clumped as the chromatin is or as DAB precipitates."""
    clumps = np.exp(random.uniform(0, 0.5) * _noise(instances.shape, 1.5, random))
    brown = strengths[instances] * (0.5 + 0.5 * chromatin.clip(0, 1.5)) * clumps
    return cv2.GaussianBlur(brown.astype(np.float32), (0, 0), 0.7)


def _around(instances: NDArray[np.int32], strengths: NDArray[np.float64]) -> NDArray[np.float32]:
    """Along the cells' borders: where a nucleus' surroundings end, or meet another's."""
    distance, nearest = cv2.distanceTransformWithLabels(
        (instances == 0).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    of = np.zeros(int(nearest.max()) + 1, np.int32)
    inside = instances > 0
    of[nearest[inside]] = instances[inside]
    cell = np.where(distance <= 5, of[nearest], 0)
    border = np.zeros(cell.shape, np.bool_)
    for axis in (0, 1):
        border |= cell != np.roll(cell, 1, axis)
    ring = cv2.GaussianBlur((border & (cell > 0)).astype(np.float32), (0, 0), 0.8)
    return (1.6 * ring * strengths[cell]).astype(np.float32)


def _noise(shape: tuple[int, ...], sigma: float, random: np.random.Generator) -> NDArray[np.float32]:
    """Smooth, of mean 0 and deviation 1."""
    noise = cv2.GaussianBlur(random.normal(0, 1, shape).astype(np.float32), (0, 0), sigma)
    return np.asarray(noise / max(float(noise.std()), 1e-6), np.float32)


def _clouds(shape: tuple[int, ...], random: np.random.Generator) -> NDArray[np.float32]:
    return (1 + 0.5 * _noise(shape, 20, random)).clip(0, 2)
