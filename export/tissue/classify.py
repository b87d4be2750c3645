"""Principal components and multinomial logistic regression, classes weighted equally."""

from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_VARIANCE = 0.99
"""Of the features, that the components kept explain."""

_PENALTY = 0.02


class Classifier(NamedTuple):
    """Predicts labels from rows of features."""

    mean: Floats
    """(F,)."""
    projection: Floats
    """(F, components)."""
    weights: Floats
    """(components + 1, classes)."""

    def predict(self, features: Floats) -> Ints:
        """Labels (N,) of the rows (N, F)."""
        return np.asarray(self._logits(features).argmax(axis=1))

    def probabilities(self, features: Floats) -> Floats:
        """(N, classes) of the rows (N, F), each adds up to 1."""
        return np.asarray(softmax(self._logits(features), axis=1))

    def _logits(self, features: Floats) -> Floats:
        return _with_one((features - self.mean) @ self.projection) @ self.weights


def fit(features: Floats, labels: Ints, classes: int) -> Classifier:
    """The classifier of these rows (N, F) with labels 0 … classes − 1, each of which occurs."""
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    kept = deviation > 1e-9
    scale = np.where(kept, 1 / np.where(kept, deviation, 1), 0)
    _, singular, axes = np.linalg.svd((features - mean) * scale, full_matrices=False)
    explained = np.cumsum(singular**2) / (singular**2).sum()
    number = int(np.searchsorted(explained, _VARIANCE)) + 1
    # Components of equal size, so that the penalty treats them alike.
    projection = scale[:, None] * axes[:number].T / (singular[:number] / np.sqrt(len(features)))
    return Classifier(mean, projection, _regressed((features - mean) @ projection, labels, classes))


def _regressed(features: Floats, labels: Ints, classes: int) -> Floats:
    rows, target = _with_one(features), np.eye(classes)[labels]
    weight = (1 / np.bincount(labels, minlength=classes))[labels, None] / classes

    def loss(flat: Floats) -> tuple[float, Floats]:
        w = flat.reshape(-1, classes)
        logits = rows @ w
        value = -(weight * target * log_softmax(logits, axis=1)).sum() + _PENALTY * (w[:-1] ** 2).sum() / 2
        slope = rows.T @ (weight * (softmax(logits, axis=1) - target))
        slope[:-1] += _PENALTY * w[:-1]
        return value, slope.ravel()

    start = np.zeros(rows.shape[1] * classes)
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B").x.reshape(-1, classes))


def write_classifier(path: Path, classifier: Classifier) -> None:
    """Into a file of NumPy's, which ends with .npz."""
    part = path.with_suffix(".partial.npz")
    np.savez(part, **classifier._asdict())
    part.replace(path)


def read_classifier(path: Path, features: int, classes: int) -> Classifier:
    """As `write_classifier` left it; ValueError for what is none of rows of so many features, or of other classes."""
    try:
        with np.load(path) as file:
            found = Classifier(*(file[name].astype(np.float64) for name in Classifier._fields))
    except (OSError, LookupError, ValueError, TypeError, BadZipFile) as error:
        raise ValueError(f"{path} holds no classifier: {error}") from error
    components = found.projection.shape[-1]
    wanted = ((features,), (features, components), (components + 1, classes))
    shapes = tuple(each.shape for each in found)
    if shapes != wanted or not all(np.isfinite(each).all() for each in found):
        raise ValueError(f"{path} holds arrays of {shapes}, wanted finite ones of {wanted}: fit the classifier again")
    return found


def balanced_accuracy(predicted: Ints, labels: Ints) -> float:
    """Mean over the classes of the share of their rows that are predicted right."""
    return float(np.mean([(predicted[labels == label] == label).mean() for label in np.unique(labels)]))


def _with_one(rows: Floats) -> Floats:
    return np.hstack([rows, np.ones((len(rows), 1))])
