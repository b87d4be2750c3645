"""A classifier of rows tells apart what is apart, and comes back from its file as it was."""

from pathlib import Path

import numpy as np
import pytest

from histoserve.export.tissue.classify import balanced_accuracy, fit, read_classifier, write_classifier


def rows(count: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Noise, and labels of three classes."""
    return np.random.default_rng(0).normal(size=(count, 20)), np.arange(count) % 3


def test_every_class_counts_alike() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 2])

    assert balanced_accuracy(np.zeros(7, int), labels) == pytest.approx(1 / 3)


def test_what_is_apart_is_told_apart_and_what_is_not_is_not() -> None:
    noise, labels = rows()
    apart = noise + 4 * np.eye(20)[labels]

    assert balanced_accuracy(fit(apart[:150], labels[:150], 3).predict(apart[150:]), labels[150:]) > 0.95
    assert balanced_accuracy(fit(noise[:150], labels[:150], 3).predict(noise[150:]), labels[150:]) < 0.5


def test_probabilities_are_of_the_label_that_is_predicted() -> None:
    noise, labels = rows()
    classifier = fit(noise + 4 * np.eye(20)[labels], labels, 3)

    found = classifier.probabilities(noise)

    assert found.sum(axis=1) == pytest.approx(np.ones(len(noise)))
    assert found.argmax(axis=1).tolist() == classifier.predict(noise).tolist()


def test_a_feature_that_never_varies_is_of_no_use_and_no_harm() -> None:
    noise, labels = rows()
    apart = np.hstack([noise + 4 * np.eye(20)[labels], np.ones((300, 1))])

    assert balanced_accuracy(fit(apart, labels, 3).predict(apart), labels) > 0.95


def test_a_file_holds_the_same_classifier(tmp_path: Path) -> None:
    noise, labels = rows()
    classifier = fit(noise, labels, 3)

    write_classifier(tmp_path / "a.npz", classifier)

    again = read_classifier(tmp_path / "a.npz", 20, 3)
    assert all(np.array_equal(one, other) for one, other in zip(again, classifier, strict=True))
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_a_file_without_a_fitting_classifier_is_named(tmp_path: Path) -> None:
    noise, labels = rows()
    write_classifier(tmp_path / "a.npz", fit(noise, labels, 3))
    np.savez(tmp_path / "other.npz", mean=noise)
    (tmp_path / "text.npz").write_text("no classifier")

    with pytest.raises(ValueError, match=r"a.npz holds arrays of .*fit the classifier again"):
        read_classifier(tmp_path / "a.npz", 21, 3)
    for name in ("other", "text", "absent"):
        with pytest.raises(ValueError, match=f"{name}.npz holds no classifier"):
            read_classifier(tmp_path / f"{name}.npz", 20, 3)
