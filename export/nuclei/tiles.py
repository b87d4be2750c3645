"""Labelled tiles from disk, and the augmented crops that training sees of them."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

VALIDATION_TILES = ("train_02", "train_06", "train_14", "train_17", "train_24")
"""The CoNSeP tiles that no training step sees: 3,134 of the 15,555 nuclei, all four types."""


@dataclass(frozen=True)
class LabelledTile:
    """One tile with its nuclei."""

    name: str
    image: np.ndarray
    """RGB, uint8 (H, W, 3)"""
    instances: np.ndarray
    """int32 (H, W), 0 where no nucleus"""
    type_of: np.ndarray
    """uint8 (instances + 1,): the type of each instance; all 0 where the set has no types"""

    @property
    def typed(self) -> bool:
        return bool(self.type_of.any())


def read_rgb(path: Path) -> np.ndarray:
    return cv2.cvtColor(read_image(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def read_image(path: Path, flags: int) -> np.ndarray:
    """OSError if there is none."""
    image = cv2.imread(str(path), flags)
    if image is None:
        raise OSError(2, "missing, or no image", str(path))
    return image


def consep_tiles(folder: Path) -> Iterator[LabelledTile]:
    """The tiles of CoNSeP's published training split: instances and types."""
    types: dict[str, dict[int, int]] = {}
    with (folder / "nuclei.csv").open() as file:
        for row in csv.DictReader(file):
            types.setdefault(row["tile"], {})[int(row["instance"])] = int(row["type"])
    for name, type_of_instance in sorted(types.items()):
        instances = read_image(folder / f"{name}_instances.png", cv2.IMREAD_UNCHANGED).astype(np.int32)
        type_of = np.zeros(instances.max() + 1, np.uint8)
        for instance, kind in type_of_instance.items():
            type_of[instance] = kind
        yield LabelledTile(name, read_rgb(folder / f"{name}.png"), instances, type_of)


def dsb_tiles(folder: Path) -> Iterator[LabelledTile]:
    """The H&E-coloured tiles of the 2018 Data Science Bowl: instances without types."""
    for path in sorted((folder / "images").glob("*.png")):
        instances = read_image(folder / "labels" / path.name, cv2.IMREAD_UNCHANGED).astype(np.int32)
        yield LabelledTile(path.stem, read_rgb(path), instances, np.zeros(instances.max() + 1, np.uint8))


def random_crop(tile: LabelledTile, side: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A rotated, scaled, flipped crop around a random nucleus or a random place.

    Types are drawn evenly before nuclei are, so that the rare ones are seen. Outside the tile: glass, no nucleus.
    Returns RGB uint8 (side, side, 3) and instances int32 (side, side).
    """
    height, width = tile.instances.shape
    centre = random.uniform(0, 1, 2) * (width, height)
    kinds = np.unique(tile.type_of[1:])
    if random.random() < 0.5 and len(kinds):
        instance = 1 + random.choice(np.flatnonzero(tile.type_of[1:] == random.choice(kinds)))
        rows, columns = np.nonzero(tile.instances == instance)
        if len(rows):
            centre = np.array([columns.mean(), rows.mean()]) + random.uniform(-side / 4, side / 4, 2)
    half = side * 0.4
    centre = np.clip(centre, min(half, width / 2), (max(width - half, width / 2), max(height - half, height / 2)))
    angle = random.choice([0, 90, 180, 270]) if random.random() < 0.5 else random.uniform(0, 360)
    matrix: np.ndarray = cv2.getRotationMatrix2D(tuple(centre), angle, random.uniform(0.8, 1.25))
    matrix[:, 2] = matrix[:, 2] + side / 2 - centre
    if random.random() < 0.5:
        matrix[0] = -matrix[0] + (0, 0, side - 1)
    image = cv2.warpAffine(tile.image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderValue=(242, 240, 243))
    # OpenCV warps no int32: float32 holds instance numbers exactly.
    labels = cv2.warpAffine(tile.instances.astype(np.float32), matrix, (side, side), flags=cv2.INTER_NEAREST)
    return image, labels.astype(np.int32)


STAINS = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]], np.float32)
"""Optical density (R, G, B) of haematoxylin, eosin and a residual (Ruifrok & Johnston, 2001)."""
UNMIX = np.linalg.inv(STAINS)


def vary_stain(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The same tissue with more or less of each stain, another exposure, focus and noise."""
    density = -np.log((image.astype(np.float32) + 1) / 256)
    amounts = density.reshape(-1, 3) @ UNMIX
    amounts = amounts * random.normal(1, 0.15, 3).clip(0.4, 1.8) + random.normal(0, 0.02, 3)
    light = np.exp(-(amounts.astype(np.float32) @ STAINS).reshape(image.shape)) * 256 - 1
    light = (light - 128) * random.normal(1, 0.05) + 128 + random.normal(0, 5, 3)
    light = light.astype(np.float32)
    side = image.shape[0]
    if random.random() < 0.15:
        small = cv2.resize(light, None, fx=(f := random.uniform(0.4, 0.8)), fy=f, interpolation=cv2.INTER_AREA)
        light = cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR)
    if random.random() < 0.1:
        light = light + random.normal(0, random.uniform(1, 6), light.shape).astype(np.float32)
    return light.clip(0, 255).astype(np.uint8)


def distances(instances: np.ndarray) -> np.ndarray:
    """Horizontal and vertical distance to the nucleus' centre of mass, float32 (2, H, W), −1…1, 0 outside nuclei.

    Each side of the centre is scaled by its own extent, so both ends of every nucleus reach −1 and 1.
    """
    result = np.zeros((2, *instances.shape), np.float32)
    rows, columns = np.nonzero(instances)
    if not len(rows):
        return result
    _, label = np.unique(instances[rows, columns], return_inverse=True)
    count = np.bincount(label)
    for axis, position in enumerate((columns, rows)):
        offset = position - (np.bincount(label, position) / count)[label]
        extent = np.zeros((2, len(count)))
        np.maximum.at(extent[0], label, -offset)
        np.maximum.at(extent[1], label, offset)
        side = extent[(offset > 0).astype(int), label]
        result[axis, rows, columns] = offset / np.maximum(side, 1e-6)
    return result
