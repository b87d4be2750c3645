"""What one would try first: SIFT's keypoints, their nearest neighbours, an affine map by RANSAC."""

from pathlib import Path

import cv2
import numpy as np

from histoserve.client.registration.affine import Matrix

RATIO, PX = 0.8, 5.0
"""Lowe's; and how far a match may lie from the map."""

NOWHERE = np.zeros((2, 3))


def by_sift(he: Path, ihc: Path) -> Matrix:
    """Level-0 px of the H&E → level-0 px of the IHC; all to one place where nothing is found."""
    cv2.setRNGSeed(0)
    sift = cv2.SIFT.create()
    grey = [np.asarray(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)) for file in (he, ihc)]
    (here, these), (there, those) = (sift.detectAndCompute(each, np.full_like(each, 255)) for each in grey)
    pairs = cv2.BFMatcher().knnMatch(these, those, k=2)
    good = [one for one, other in pairs if one.distance < RATIO * other.distance]
    if len(good) < 3:
        return NOWHERE
    source = np.array([here[each.queryIdx].pt for each in good])
    target = np.array([there[each.trainIdx].pt for each in good])
    matrix, _ = cv2.estimateAffine2D(source, target, method=cv2.RANSAC, ransacReprojThreshold=PX)
    return NOWHERE if matrix is None else np.asarray(matrix, np.float64)
