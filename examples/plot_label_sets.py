"""
Sets of labels with a promised coverage, by MAPIE
=================================================

Instead of one class, a set that holds the true one in 90 of 100 cases: conformal prediction, for which MAPIE is the library
(``pip install "sksoftmax[examples]"``). It takes any fitted classifier, and our calibrated ones too. The promise should hold
whatever the probabilities. But where a classifier is so sure of itself that probabilities round to 1, as naive Bayes is,
there is no threshold left to set: its sets are all classes, or too few of them. Calibrated first, they are small and keep
the promise.

The score "lac" takes every class whose probability exceeds a threshold; "aps" adds classes up until a sum is reached, the
last one included, and so covers more than it promises.

Run as a script, it does the same on images of clothes with ``--data fashion-mnist``.
"""

from __future__ import annotations

import argparse
from types import ModuleType

import numpy as np
from _fashion_mnist import load_fashion_mnist
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import MultinomialNB

from sksoftmax import CalibratedClassifier, SoftmaxRegressionClassifier, TemperatureScalingCalibrator
from sksoftmax._optional import import_optional

LEVELS = [0.8, 0.9, 0.95]

# %%
# Data
# ----
# Three parts: to fit and calibrate, to conformalize, to test. The promise is one over draws of the second and the third.

Part = tuple[NDArray, NDArray]


def digits() -> tuple[Part, Part, Part]:
    X, y = load_digits(return_X_y=True)
    return split(X, y, 600)


def fashion_mnist() -> tuple[Part, Part, Part]:
    X_train, y_train, X_test, y_test = load_fashion_mnist()
    X, y = np.vstack([X_train[:6000], X_test]).astype(np.float32) / 255, np.concatenate([y_train[:6000], y_test])
    return split(X, y, 6000)


def split(X: NDArray, y: NDArray, n_fit: int) -> tuple[Part, Part, Part]:
    X_fit, X_rest, y_fit, y_rest = train_test_split(X, y, train_size=n_fit, stratify=y, random_state=0)
    X_conformal, X_test, y_conformal, y_test = train_test_split(X_rest, y_rest, test_size=0.5, stratify=y_rest, random_state=0)
    return (X_fit, y_fit), (X_conformal, y_conformal), (X_test, y_test)


DATA = {"digits": digits, "fashion-mnist": fashion_mnist}
CLASSIFIERS = {
    "naive Bayes": MultinomialNB(),
    "naive Bayes, calibrated": TemperatureScalingCalibrator(MultinomialNB(), cv=3),
    "naive Bayes, of folds": CalibratedClassifier(MultinomialNB(), cv=3),
    "softmax regression": SoftmaxRegressionClassifier(C=0.1),
    "softmax, calibrated": TemperatureScalingCalibrator(SoftmaxRegressionClassifier(C=0.1), cv=3),
}
SCORES = ["lac", "aps"]

# %%
# Coverage and size
# -----------------


def coverage_and_size(mapie: ModuleType, classifier, conformal: Part, test: Part, score: str) -> tuple[NDArray, NDArray]:
    """Return for each level the share of sets that hold the true class, and their mean size."""
    sets = mapie.SplitConformalClassifier(classifier, confidence_level=LEVELS, conformity_score=score, random_state=0)
    sets.conformalize(*conformal)
    X, y = test
    _, inside = sets.predict_set(X)
    places = np.searchsorted(classifier.classes_, y)
    return inside[np.arange(len(y)), places].mean(axis=0), inside.sum(axis=1).mean(axis=0)


# %%
# All together
# ------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().partition("\n")[0])
    parser.add_argument("--data", choices=DATA, default="digits")
    arguments = parser.parse_args()
    try:
        mapie = import_optional("mapie.classification", purpose="This example", extra="examples")
    except ImportError as error:
        raise SystemExit(str(error)) from None
    fit, conformal, test = DATA[arguments.data]()
    print(f"{arguments.data}: {len(fit[1]):,} rows to fit, {len(conformal[1]):,} to conformalize, {len(test[1]):,} to test\n")
    print(f"{'classifier':25}{'':5}" + "".join(f"{f'{level:.0%}: coverage, size':>24}" for level in LEVELS))
    for name, classifier in CLASSIFIERS.items():
        classifier.fit(*fit)
        for score in SCORES:
            coverage, size = coverage_and_size(mapie, classifier, conformal, test, score)
            cells = (f"{c:17.3f}{s:7.2f}" for c, s in zip(coverage, size, strict=True))
            print(f"{name:25}{score:5}" + "".join(cells))


if __name__ == "__main__":
    main()
