"""Crops of smears with their lesions as the three kinds of extractors learn them."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from histoserve.export.peakmap.extractors import detector, segmenter
from histoserve.export.peakmap.extractors.backbone import TILE_PX
from histoserve.export.peakmap.network import TYPES
from histoserve.export.peakmap.smears import LabelledSmear, is_glass

UNKNOWN = -1
"""No loss: a lesion of this type lies at the border, its centre in another tile."""
LESION_SHARE, HARD_SHARE = 0.5, 0.3
"""Of the crops: around a lesion; hard negatives; the rest is from anywhere. On slides 1 tile in 20 or fewer has one."""


@dataclass(frozen=True)
class LesionBatch:
    image: Tensor
    """uint8 (B, H, W, 3)"""
    label: Tensor
    """float32 (B, types): 1 if the type's centre of a nucleus is in the tile, 0 if not, UNKNOWN"""
    heat: Tensor
    """float32 (B, types, h, w) on the detector's grid: 1 at the cell of a centre, falling off around it"""
    sides: Tensor
    """float32 (B, 4, h, w): left, top, right, bottom of the nucleus' box from the cell's middle, in cells; 0: no box"""
    known: Tensor
    """float32 (B, 1, h, w): 0 where a nucleus lies whose centre is outside"""
    mask: Tensor
    """int64 (B, H/2, W/2): 0, or 1 + type, on the segmenter's grid"""


def corner_of_crop(
    slides: list[LabelledSmear], hard: np.ndarray, random: np.random.Generator
) -> tuple[LabelledSmear, int, int]:
    """A slide and left and top of a tile in it; `hard` (n, 3) are slide, left and top of hard negatives."""
    draw = random.random()
    if draw < LESION_SHARE:
        kind = random.integers(len(TYPES))
        having = [slide for slide in slides if (slide.types == kind).any()] or slides
        slide = having[random.integers(len(having))]
        number = np.flatnonzero(slide.types == kind)
        if len(number):
            corner = slide.centres[random.choice(number)] - random.uniform(2, TILE_PX - 2, 2)
            return slide, *inside(slide, corner)
    if draw < LESION_SHARE + HARD_SHARE and len(hard):
        which, left, top = hard[random.integers(len(hard))]
        return slides[which], *inside(slides[which], np.array([left, top]) + random.uniform(-24, 24, 2))
    slide = slides[random.integers(len(slides))]
    for _ in range(4):
        corner = random.uniform(0, 1, 2) * (slide.image.shape[1] - TILE_PX, slide.image.shape[0] - TILE_PX)
        left, top = inside(slide, corner)
        if not is_glass(slide.image[top : top + TILE_PX, left : left + TILE_PX]):
            break
    return slide, left, top


def inside(slide: LabelledSmear, corner: np.ndarray) -> tuple[int, int]:
    height, width = slide.image.shape[:2]
    left, top = np.clip(np.round(corner), 0, (width - TILE_PX, height - TILE_PX)).astype(int)
    return int(left), int(top)


def crop(
    slide: LabelledSmear, left: int, top: int, random: np.random.Generator | None = None
) -> tuple[np.ndarray, ...]:
    """One entry of a `LesionBatch`; with `random`, one of the eight ways to turn and mirror it, and other light."""
    image = slide.image[top : top + TILE_PX, left : left + TILE_PX]
    near = [
        (kind, outline - (left, top))
        for kind, outline, centre in zip(slide.types, slide.outlines, slide.centres, strict=True)
        if (np.abs(centre - (left, top) - TILE_PX / 2) < TILE_PX).all()
    ]
    if random is not None:
        turn = random.integers(2, size=3)
        image = vary_light(turned(image, turn), random)
        near = [(kind, turned_outline(outline, turn)) for kind, outline in near]
    return image, *targets(near)


def turned(image: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """Mirrored in x if turn[0], in y if turn[1], then axes exchanged if turn[2]."""
    image = image[:: -1 if turn[1] else 1, :: -1 if turn[0] else 1]
    return image.transpose(1, 0, 2) if turn[2] else image


def turned_outline(outline: np.ndarray, turn: np.ndarray) -> np.ndarray:
    mirrored = np.where(turn[:2], TILE_PX - outline, outline)
    return mirrored[:, ::-1] if turn[2] else mirrored


def vary_light(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Another stain strength, exposure and focus."""
    scale = random.normal(1, 0.08) * random.normal(1, 0.04, 3)
    levels = 255 * (np.arange(256)[:, None] / 255) ** scale.clip(0.7, 1.4) * random.normal(1, 0.02)
    table = (levels + random.normal(0, 2, 3)).clip(0, 255).astype(np.uint8)
    image = cv2.LUT(np.ascontiguousarray(image), table[None])
    if random.random() < 0.2:
        image = cv2.GaussianBlur(image, (0, 0), random.uniform(0.4, 1.2))
    return image


def targets(near: list[tuple[int, np.ndarray]]) -> tuple[np.ndarray, ...]:
    """Label, heat, sides, known and mask, as in `LesionBatch`, of nuclei (type, outline in tile px)."""
    side = TILE_PX // detector.STRIDE
    label = np.zeros(len(TYPES), np.float32)
    heat, sides = np.zeros((len(TYPES), side, side), np.float32), np.zeros((4, side, side), np.float32)
    known = np.ones((1, side, side), np.float32)
    mask = np.zeros((TILE_PX // segmenter.STRIDE,) * 2, np.int32)
    middle = np.arange(side) + 0.5
    for kind, outline in near:
        points = np.round(outline / segmenter.STRIDE * 16 - 8).astype(np.int32)
        cv2.fillPoly(mask, [points], (int(kind) + 1,), shift=4)
        low, high = outline.min(0) / detector.STRIDE, outline.max(0) / detector.STRIDE
        x, y = (low + high) / 2
        if 0 <= x < side and 0 <= y < side:
            label[kind] = 1
            reach = max(0.7, float((high - low).max()) / 6)
            column, row = int(x), int(y)
            around = np.exp(-((middle[None] - column - 0.5) ** 2 + (middle[:, None] - row - 0.5) ** 2) / (2 * reach**2))
            nearest = around > heat.max(0)
            heat[kind] = np.maximum(heat[kind], around)
            boxed = np.stack(
                np.broadcast_arrays(
                    *(middle - low[0], middle[:, None] - low[1]), high[0] - middle, high[1] - middle[:, None]
                )
            )
            at = nearest & (around > 0.5)
            sides[:, at] = boxed[:, at].clip(0.1)
        elif (high > 0).all() and (low < side).all():
            label[kind] = label[kind] or UNKNOWN
            columns, rows = (slice(max(0, int(a)), max(0, int(np.ceil(b)))) for a, b in zip(low, high, strict=True))
            known[0, rows, columns] = 0
    label = np.where(label < 0, UNKNOWN, label).astype(np.float32)
    return label, heat, sides, known, mask.astype(np.int64)


def batch_of(crops: list[tuple[np.ndarray, ...]]) -> LesionBatch:
    return LesionBatch(*(torch.from_numpy(np.stack(part)) for part in zip(*crops, strict=True)))
