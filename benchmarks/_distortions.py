"""Miscalibrated logits: planted distortions of true ones, and out-of-sample logits of classifiers on scikit-learn's digits.

What lives here: the problems of ``bench_calibration_quality.py``. What doesn't: calibrators and tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

DISTORTIONS = ("temperature", "bias", "vector", "matrix", "nonlinear", "none", "mild")
TEST_ROWS = 5_000
MODELS = ("GaussianNB", "random forest", "MLP", "logistic regression", "SVC", "k-nearest neighbours", "boosting")


class Problem(NamedTuple):
    """Logits and labels to calibrate on, and to judge on."""

    name: str
    n_classes: int
    seed: int
    logits: NDArray
    y: NDArray
    test_logits: NDArray
    test_y: NDArray


def planted(distortion: str, n_classes: int, n_rows: int, seed: int, n_test: int = TEST_ROWS) -> Problem:
    """Return a problem whose true logits are Gaussian, times 2, and whose given ones are twice to three times too large."""
    rng = np.random.default_rng([seed, n_classes, n_rows, DISTORTIONS.index(distortion)])
    true = 2 * rng.normal(size=(n_rows + n_test, n_classes))
    y = (true + rng.gumbel(size=true.shape)).argmax(axis=1)
    if distortion == "none":
        given = true
    elif distortion == "mild":
        given = 1.15 * true
    elif distortion == "temperature":
        given = 3 * true
    elif distortion == "bias":
        given = 3 * (true + rng.normal(size=n_classes))
    elif distortion == "vector":
        given = (true + 0.5 * rng.normal(size=n_classes)) * 3 * rng.uniform(0.5, 1.5, size=n_classes)
    elif distortion == "matrix":
        mixing = np.eye(n_classes) + 0.5 * rng.normal(size=(n_classes, n_classes)) / np.sqrt(n_classes)
        given = 3 * true @ mixing
    else:
        given = 1.5 * np.sign(true) * np.abs(true) ** 1.5 + np.tanh(true) * rng.normal(size=n_classes)
    train, test = slice(n_rows), slice(n_rows, None)
    return Problem(f"{distortion}, n={n_rows}", n_classes, seed, given[train], y[train], given[test], y[test])


def digits(model: str, seed: int) -> Problem:
    """Return a third of the digits' rows for the model, and the logits of it on the other two for us."""
    from sklearn.datasets import load_digits
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import train_test_split
    from sklearn.naive_bayes import GaussianNB
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.neural_network import MLPClassifier
    from sklearn.svm import SVC

    X, y = load_digits(return_X_y=True)
    noisy = X + np.random.default_rng(seed).normal(scale=8, size=X.shape)  # the pictures alone are too easy
    X, rest, y, rest_y = train_test_split(noisy, y, train_size=1 / 3, random_state=seed, stratify=y)
    X_cal, X_test, y_cal, y_test = train_test_split(rest, rest_y, train_size=0.5, random_state=seed, stratify=rest_y)
    classifier = {
        "GaussianNB": GaussianNB(),
        "random forest": RandomForestClassifier(random_state=seed),
        "MLP": MLPClassifier(max_iter=500, random_state=seed),
        "logistic regression": LogisticRegression(C=100, max_iter=2000),
        "SVC": SVC(),
        "k-nearest neighbours": KNeighborsClassifier(10),
        "boosting": HistGradientBoostingClassifier(max_iter=50, random_state=seed),
    }[model].fit(X, y)
    if model == "SVC":
        return Problem(f"digits, {model}", 10, seed, classifier.decision_function(X_cal), y_cal,
                       classifier.decision_function(X_test), y_test)  # fmt: skip
    logits = [np.log(np.maximum(classifier.predict_proba(rows), np.finfo(float).eps)) for rows in (X_cal, X_test)]
    return Problem(f"digits, {model}", 10, seed, logits[0], y_cal, logits[1], y_test)


def problems(seeds: range, at_most: int, *, quick: bool = False) -> Iterator[Problem]:
    """Yield all problems of at most so many rows times classes."""
    for seed in seeds:
        for n_classes in (3, 10) if quick else (3, 10, 100):
            for n_rows in (200, 500) if quick else (200, 500, 5000):
                for distortion in DISTORTIONS if n_rows * n_classes <= at_most else ():
                    yield planted(distortion, n_classes, n_rows, seed)
        for model in MODELS[:3] if quick else MODELS:
            yield digits(model, seed)
