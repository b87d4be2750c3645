"""Tiles classed by hand-made features: what the network is meant to beat (CN113887377A [0003]).

colour histogram, grey-level co-occurrence, local binary patterns ─▶ principal components ─▶ logistic regression
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from zipfile import BadZipFile

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from histoserve.export.tissue.answers import Probabilities
from histoserve.export.tissue.classes import CLASSES
from histoserve.export.tissue.classify import Classifier, fit, read_classifier, write_classifier
from histoserve.export.tissue.slides import read_slide
from histoserve.export.tissue.texture import FEATURES, texture
from histoserve.export.tissue.validation import Held, held_of


def features(images: Iterable[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """RGB tiles (H, W, 3) → (N, FEATURES)."""
    return np.array([texture(image) for image in images]).reshape(-1, FEATURES)


def by_hand(file: Path | None, training: Path | None) -> Probabilities:
    """What classes tiles by hand-made features: as `file` holds it, or fitted on the slides in the folder `training`.

    A file that is not there yet is written once it is fitted. ValueError for neither, and for what cannot be read.
    """
    if file is not None and (file.exists() or training is None):
        classifier = read_classifier(file, FEATURES, len(CLASSES))
    elif training is None:
        raise ValueError("hand-made features have nothing to be fitted on: give --training or --by-hand")
    else:
        # Beside the slides may lie what an interrupted drawing left, and other classifiers.
        slides = sorted(path for path in training.expanduser().glob("*.npz") if path.stem.isdigit())
        classifier = fitted(slides, str(training))
        if file is not None:
            write_classifier(file, classifier)
    return lambda images: classifier.probabilities(features(images))


def fitted(files: Sequence[Path], where: str) -> Classifier:
    """On all tiles of these slides that count, whole, as they are served; ValueError where a class has none."""
    rows, labels = [np.empty((0, FEATURES))], [np.empty(0, np.int64)]
    for file in track(files, "features by hand", transient=True):
        held = _held(file)
        counted = held.label >= 0
        rows.append(features(held.images[counted]))
        labels.append(held.label[counted])
    label = np.concatenate(labels)
    if missing := [name for number, name in enumerate(CLASSES) if number not in label]:
        raise ValueError(f"{where} has no tile of the class {missing[0]}: name a folder of `histoserve train tissue`")
    return fit(np.concatenate(rows), label, len(CLASSES))


def _held(file: Path) -> Held:
    try:
        return held_of(read_slide(file))
    except (OSError, LookupError, ValueError, BadZipFile, cv2.error) as error:
        raise ValueError(f"{file} is no slide of a training: {error}; remove it, it will be drawn again") from error
