"""
Calibrate classifiers: probabilities before and after
=====================================================

Four classifiers of scikit-learn, each calibrated by a temperature on the training rows that its folds leave out. The test
set tells what that does to the cross-entropy, to the expected calibration error and to the accuracy, and pictures show how
often the predicted class is the true one where its probability is 70 %, say.

Run as a script, it does the same on images of clothes with ``--data fashion-mnist``.
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import dataclass
from pathlib import Path

from _fashion_mnist import CLASSES, load_fashion_mnist
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import KNeighborsClassifier

from sksoftmax import TemperatureScalingCalibrator
from sksoftmax._optional import import_optional
from sksoftmax.metrics import accuracy_score, cross_entropy_loss, expected_calibration_error
from sksoftmax.plots import ReliabilityDisplay

# %%
# Data and classifiers
# --------------------
# A naive Bayes classifier counts each pixel as news, and is far too sure; a forest is not sure enough; a regression without a
# penalty has learnt its rows by heart.

Data = tuple[NDArray, NDArray, NDArray, NDArray]


def digits() -> Data:
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)
    return X_train, y_train, X_test, y_test


def fashion_mnist() -> Data:
    X_train, y_train, X_test, y_test = load_fashion_mnist()
    X_train, _, y_train, _ = train_test_split(X_train, y_train, train_size=5000, stratify=y_train, random_state=0)
    return X_train / 255, CLASSES[y_train], X_test / 255, CLASSES[y_test]


DATA = {"digits": digits, "fashion-mnist": fashion_mnist}
CLASSIFIERS = {
    "naive Bayes": MultinomialNB(),
    "random forest": RandomForestClassifier(100, random_state=0),
    "10 neighbours": KNeighborsClassifier(10),
    "regression, C = 1000": LogisticRegression(C=1000, max_iter=200),
}

# %%
# Before and after
# ----------------
# One line calibrates: classifiers are fitted on four fifths of the rows and asked for the others, the temperature is fitted to
# these answers, and the classifier once more to all rows. Its predicted classes stay, so that the accuracy does. Where a forest
# gives the true class no vote at all, the cross-entropy before is infinite or nearly so.


METRICS = {
    "cross-entropy": cross_entropy_loss,
    "calibration error": expected_calibration_error,
    "accuracy": accuracy_score,
}


@dataclass(frozen=True)
class Outcome:
    name: str
    classes: NDArray
    temperature: float
    before: NDArray
    after: NDArray


def calibrate(name: str, classifier: ClassifierMixin, data: Data) -> Outcome:
    X_train, y_train, X_test, _ = data
    with warnings.catch_warnings():
        # The regression stops early, which is none of the calibration's business.
        warnings.simplefilter("ignore", ConvergenceWarning)
        calibrated = TemperatureScalingCalibrator(classifier, cv=5).fit(X_train, y_train)
    proba = calibrated.estimator_.predict_proba(X_test)
    return Outcome(name, calibrated.classes_, calibrated.temperature_, proba, calibrated.predict_proba(X_test))


def table(outcomes: list[Outcome], y: NDArray) -> str:
    groups = "".join(f"{name:>22}" for name in METRICS)
    lines = [f"{'':22}{'':13}{groups}", f"{'classifier':22}{'temperature':>13}" + f"{'before':>12}{'after':>10}" * len(METRICS)]
    for outcome in outcomes:
        scores = (
            metric(y, proba, labels=outcome.classes) for metric in METRICS.values() for proba in (outcome.before, outcome.after)
        )
        widths = (12, 10) * len(METRICS)
        cells = "".join(f"{score:{width}.3f}" for score, width in zip(scores, widths, strict=True))
        lines.append(f"{outcome.name:22}{outcome.temperature:13.2f}{cells}")
    return "\n".join(lines)


# %%
# Reliability
# -----------
# On the diagonal probabilities are what they say; the wide bars are what chance allows.


def draw(outcomes: list[Outcome], y: NDArray, output: Path) -> None:
    """Save reliability diagrams, a column a classifier: before above, after below."""
    plt = import_optional("matplotlib.pyplot", purpose="The picture")
    figure, axes = plt.subplots(
        2, len(outcomes), figsize=(3.4 * len(outcomes), 7), sharex=True, sharey=True, layout="constrained"
    )
    for column, outcome in zip(axes.T, outcomes, strict=True):
        for axis, proba, name in (
            (column[0], outcome.before, "before"),
            (column[1], outcome.after, f"temperature {outcome.temperature:.2f}"),
        ):
            ReliabilityDisplay.from_predictions(y, proba, labels=outcome.classes, random_state=0, name=name, ax=axis)
            axis.label_outer()
        column[0].set_title(outcome.name)
    figure.savefig(output, dpi=120)
    print(f"Saved {output}")


# %%
# All together
# ------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().partition("\n")[0])
    parser.add_argument("--data", choices=DATA, default="digits")
    parser.add_argument("--output", type=Path, help="where the picture goes; by default calibration_<data>.png")
    arguments = parser.parse_args()

    data = DATA[arguments.data]()
    print(f"{arguments.data}: {len(data[1]):,} training rows, {len(data[3]):,} test rows; cross-entropy in nats\n")
    outcomes = [calibrate(name, classifier, data) for name, classifier in CLASSIFIERS.items()]
    print(table(outcomes, data[3]), end="\n\n")
    try:
        draw(outcomes, data[3], arguments.output or Path(f"calibration_{arguments.data}.png"))
    except ImportError as error:
        print(f"No picture: {error}")


if __name__ == "__main__":
    main()
