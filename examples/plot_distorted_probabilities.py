"""
Probabilities distorted by class weights and label smoothing, undone
====================================================================

Class weights make a classifier find rare classes more often, label smoothing keeps it from being too sure: both change what
it says the probabilities are. What weights did has a closed form, and nothing has to be learnt to take it back; what
smoothing did, a temperature undoes.

Run as a script, it does the same on images of clothes with ``--data fashion-mnist``.
"""

from __future__ import annotations

import argparse

import numpy as np
from _fashion_mnist import CLASSES, load_fashion_mnist
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sksoftmax import CalibratedClassifier, SoftmaxRegressionClassifier
from sksoftmax.calibration import PriorCorrection
from sksoftmax.losses import CrossEntropy
from sksoftmax.metrics import accuracy_score, balanced_accuracy_score, cross_entropy_loss, expected_calibration_error

# %%
# Data
# ----
# Three of four rows of the first five classes are left out, so that class weights have something to do.

Data = tuple[NDArray, NDArray, NDArray, NDArray]


def thinned(X: NDArray, y: NDArray, rare: NDArray) -> tuple[NDArray, NDArray]:
    """Return the rows but three of four of the rare classes."""
    kept = ~np.isin(y, rare) | (np.arange(len(y)) % 4 == 0)
    return X[kept], y[kept]


def digits() -> Data:
    X, y = load_digits(return_X_y=True)
    # A row of the image in eight, so that the task is not too easy.
    X, y = thinned(X[:, 16:32], y, np.arange(5))
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
    return X_train, y_train, X_test, y_test


def fashion_mnist() -> Data:
    X_train, y_train, X_test, y_test = load_fashion_mnist()
    X_train, y_train = thinned(X_train[:20_000].astype(np.float32) / 255, CLASSES[y_train[:20_000]], CLASSES[:5])
    return X_train, y_train, *thinned(X_test.astype(np.float32) / 255, CLASSES[y_test], CLASSES[:5])


DATA = {"digits": digits, "fashion-mnist": fashion_mnist}

# %%
# Models
# ------
# ``cv="prefit"`` calibrates a model as it is. The prior correction looks at nothing but the classes' frequencies, for which the
# rows of the fit will do. A temperature learns, and needs rows that the model has not seen: those that folds leave out.

STRONG = {"C": 0.1}


def models(X: NDArray, y: NDArray) -> dict[str, SoftmaxRegressionClassifier | CalibratedClassifier]:
    """Return fitted models by name."""
    weighted = SoftmaxRegressionClassifier(**STRONG, class_weight="balanced").fit(X, y)
    smoothed = SoftmaxRegressionClassifier(**STRONG, loss=CrossEntropy(label_smoothing=0.3)).fit(X, y)
    return {
        "plain": SoftmaxRegressionClassifier(**STRONG).fit(X, y),
        "class weights": weighted,
        "  weights taken back": CalibratedClassifier(weighted, PriorCorrection("balanced"), cv="prefit").fit(X, y),
        "  a temperature instead": CalibratedClassifier(weighted, "temperature", ensemble=False, cv=3).fit(X, y),
        "label smoothing": smoothed,
        "  with a temperature": CalibratedClassifier(smoothed, "temperature", ensemble=False, cv=3).fit(X, y),
    }


METRICS = {
    "cross-entropy": cross_entropy_loss,
    "calibration error": expected_calibration_error,
    "accuracy": accuracy_score,
    "balanced accuracy": balanced_accuracy_score,
}


def table(data: Data) -> str:
    X_train, y_train, X_test, y_test = data
    lines = [" " * 26 + "".join(f"{name:>20}" for name in METRICS)]
    for name, model in models(X_train, y_train).items():
        proba = model.predict_proba(X_test)
        lines.append(f"{name:26}" + "".join(f"{metric(y_test, proba):20.4f}" for metric in METRICS.values()))
    return "\n".join(lines)


# %%
# All together
# ------------
# Whoever wants the rare classes found keeps the weights off the probabilities and puts them into the decision.


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().partition("\n")[0])
    parser.add_argument("--data", choices=DATA, default="digits")
    arguments = parser.parse_args()
    data = DATA[arguments.data]()
    print(f"{arguments.data}: {len(data[1]):,} training rows, {len(data[3]):,} test rows; cross-entropy in nats\n")
    print(table(data))


if __name__ == "__main__":
    main()
