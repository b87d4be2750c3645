"""Maps as the nuclei network gives them, of nuclei that nobody has."""

import cv2
import numpy as np
from numpy.typing import NDArray

TYPES = 4
FAINT = 3
"""Pixels by which the distances in a nucleus with two lobes step back on either side of its middle."""


def synthetic_maps(height: int = 1024, width: int = 1024, nuclei: int = 900, seed: int = 0) -> NDArray[np.uint8]:
    """Foreground, edge strength, type: uint8 (height, width, 3).

    Nuclei are ellipses with half axes of 6-13 px that may cover a third of an earlier one, so many touch. The
    foreground falls off over 2 px at their outlines. The edge strength is that of a network's distance maps: the
    steepest change of the distances to the nuclei's centres across 5 px, blurred and noisy; one nucleus of twelve
    has two lobes with a faint edge between. Types are one for each nucleus, with patches
    of others.
    """
    random = np.random.default_rng(seed)
    instances = ellipses(height, width, nuclei, random)
    nucleus = (instances > 0).astype(np.float32)
    foreground = cv2.GaussianBlur(nucleus, (0, 0), 1.2) * 255 + random.normal(0, 6, (height, width))
    steepness = edges(instances) + random.normal(0, 8, (height, width))
    kinds = random.choice(TYPES, instances.max() + 1, p=(0.05, 0.25, 0.35, 0.35))[instances] + 1
    patches = cv2.GaussianBlur(random.normal(0, 1, (height, width)), (0, 0), 3)
    kinds = np.where(patches > 0.14, random.integers(1, TYPES + 1), kinds)
    return np.stack([foreground, steepness, kinds], axis=-1).clip(0, 255).astype(np.uint8)


def ellipses(height: int, width: int, count: int, random: np.random.Generator) -> NDArray[np.int32]:
    """Instances 1 … `count`, fewer if there is no room; int32 (height, width), 0 where none."""
    instances = np.zeros((height, width), np.int32)
    number = 0
    for _ in range(20 * count):
        one = np.zeros_like(instances, np.uint8)
        centre = (int(random.integers(width)), int(random.integers(height)))
        axes = (int(random.integers(6, 14)), int(random.integers(6, 14)))
        x0, y0 = max(0, centre[0] - 14), max(0, centre[1] - 14)
        window = (slice(y0, centre[1] + 15), slice(x0, centre[0] + 15))
        cv2.ellipse(one, centre, axes, float(random.uniform(0, 180)), 0, 360, (1,), -1)
        inside = one[window] > 0
        if (instances[window][inside] > 0).mean() > 0.33:
            continue
        number += 1
        instances[window][inside & (instances[window] == 0)] = number
        if number == count:
            break
    return instances


def edges(instances: NDArray[np.int32]) -> NDArray[np.float64]:
    """Edge strength 0-255 (not clipped) of the distances to the centres of `instances`, (height, width)."""
    rows, columns = np.nonzero(instances)
    label = instances[rows, columns]
    area = np.maximum(np.bincount(label), 1)
    strength = np.zeros(instances.shape)
    for axis, position in enumerate((columns, rows)):
        offset = position - (np.bincount(label, position) / area)[label]
        lobed = (label % 12 == 0) & (axis == 0)
        offset = np.where(lobed, offset - FAINT * np.sign(offset), offset)
        distance = np.zeros(instances.shape)
        distance[rows, columns] = (offset / 10).clip(-1, 1)
        slope = cv2.Sobel(distance, cv2.CV_64F, 1 - axis, axis, ksize=5)
        strength = np.maximum(strength, -slope)
    return cv2.GaussianBlur(strength, (0, 0), 0.8) * 10
