"""
Quickstart: tune, test once, look at the mistakes
=================================================

A softmax regression on images of digits: the strength of its penalty is chosen on validation folds by cross-entropy, which
judges the probabilities and not just the most probable class. Then the test set is touched, once. scikit-learn's
``LogisticRegression`` goes through the same for comparison.

Run as a script, it does the same on 60,000 images of clothes with ``--data fashion-mnist``.
"""

from __future__ import annotations

import argparse
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _fashion_mnist import CLASSES, load_fashion_mnist
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._optional import import_optional
from sksoftmax.plots import CoefficientDisplay, MisclassifiedDisplay

# %%
# Data
# ----
# A hyperparameter search needs fewer rows than the final fit: on Fashion-MNIST it sees a tenth of the training images. There
# the pixels are float32, which halves what every iteration reads; the estimators keep that dtype.


@dataclass(frozen=True)
class Problem:
    X_train: NDArray
    y_train: NDArray
    X_test: NDArray
    y_test: NDArray
    n_search: int
    n_folds: int
    C: list[float]

    def search_rows(self) -> tuple[NDArray, NDArray]:
        """Return the training rows that the search sees."""
        X, y = self.X_train, self.y_train
        if self.n_search < len(y):
            X, _, y, _ = train_test_split(X, y, train_size=self.n_search, stratify=y, random_state=0)
        return X, y


def digits() -> Problem:
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, stratify=y, random_state=0)
    return Problem(X_train, y_train, X_test, y_test, len(y_train), 5, [0.1, 1.0, 10.0, 100.0])


def fashion_mnist() -> Problem:
    X_train, y_train, X_test, y_test = load_fashion_mnist()
    X_train, X_test = X_train.astype(np.float32), X_test.astype(np.float32)
    return Problem(X_train, CLASSES[y_train], X_test, CLASSES[y_test], 6000, 3, [0.03, 0.1, 0.3])


PROBLEMS = {"digits": digits, "fashion-mnist": fashion_mnist}

# %%
# Search and test
# ---------------
# The same pipeline, grid and folds for both. LogisticRegression's 100 iterations are too few for weak penalties and it would
# warn; ours may take 1,000 by default.

CLASSIFIERS = {
    "SoftmaxRegressionClassifier": SoftmaxRegressionClassifier(),
    "LogisticRegression": LogisticRegression(max_iter=1000),
}


@dataclass(frozen=True)
class Outcome:
    name: str
    C: float
    cross_entropy: float
    accuracy: float
    balanced_accuracy: float
    search_seconds: float
    fit_seconds: float
    n_warnings: int


def make_model(name: str) -> Pipeline:
    return Pipeline([("scale", MinMaxScaler()), ("classify", CLASSIFIERS[name])])


def warm_up(problem: Problem) -> float:
    """Fit and predict once, so that what follows times no compilation; return the seconds."""
    X, y = problem.search_rows()
    began = time.perf_counter()
    make_model("SoftmaxRegressionClassifier").fit(X, y).predict_proba(X)
    return time.perf_counter() - began


def compete(problem: Problem, name: str) -> tuple[Outcome, Pipeline]:
    """Search C by cross-entropy on the folds, fit to all training rows, and score on the test rows."""
    X, y = problem.search_rows()
    model = make_model(name)
    with warnings.catch_warnings(record=True) as caught:
        # Counted for the table, where a hundred lines of them would drown it.
        warnings.simplefilter("always", ConvergenceWarning)
        began = time.perf_counter()
        grid = {"classify__C": problem.C}
        found = GridSearchCV(model, grid, scoring="neg_log_loss", cv=problem.n_folds, refit=False).fit(X, y)
        searched = time.perf_counter()
        model.set_params(**found.best_params_).fit(problem.X_train, problem.y_train)
        fitted = time.perf_counter()
    proba = model.predict_proba(problem.X_test)
    predicted = model.classes_[proba.argmax(axis=1)]
    return Outcome(
        name=name,
        C=found.best_params_["classify__C"],
        cross_entropy=log_loss(problem.y_test, proba, labels=model.classes_),
        accuracy=accuracy_score(problem.y_test, predicted),
        balanced_accuracy=balanced_accuracy_score(problem.y_test, predicted),
        search_seconds=searched - began,
        fit_seconds=fitted - searched,
        n_warnings=sum(issubclass(warning.category, ConvergenceWarning) for warning in caught),
    ), model


def table(outcomes: list[Outcome]) -> str:
    columns = [
        ("model", [outcome.name for outcome in outcomes]),
        ("C", [f"{outcome.C:g}" for outcome in outcomes]),
        ("cross-entropy", [f"{outcome.cross_entropy:.4f}" for outcome in outcomes]),
        ("accuracy", [f"{outcome.accuracy:.4f}" for outcome in outcomes]),
        ("balanced", [f"{outcome.balanced_accuracy:.4f}" for outcome in outcomes]),
        ("search s", [f"{outcome.search_seconds:.2f}" for outcome in outcomes]),
        ("fit s", [f"{outcome.fit_seconds:.2f}" for outcome in outcomes]),
        ("warnings", [f"{outcome.n_warnings}" for outcome in outcomes]),
    ]
    padded = []
    for title, cells in columns:
        width = max(map(len, [title, *cells]))
        align = str.ljust if title == "model" else str.rjust
        padded.append([align(cell, width) for cell in (title, "-" * width, *cells)])
    return "\n".join("  ".join(line).rstrip() for line in zip(*padded, strict=True))


# %%
# The picture
# -----------
# The mistakes that the model was surest of, and what each class looks for: pixels of one colour speak for the class, those of
# the other against it.

N_COLUMNS = 8
MAX_TILES = 24


def draw(problem: Problem, model: Pipeline, output: Path) -> None:
    """Save tiles of misclassified test images above the coefficients of every class."""
    plt = import_optional("matplotlib.pyplot", purpose="The picture")
    shape = (round(problem.X_test.shape[1] ** 0.5),) * 2
    n_wrong = int(np.sum(model.predict(problem.X_test) != problem.y_test))
    n_tiles = min(n_wrong, MAX_TILES)
    n_rows = -(-n_tiles // N_COLUMNS)

    heights = [1.7 * n_rows + 0.6, 4.0]
    figure = plt.figure(figsize=(11, sum(heights)), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=heights)
    shown = f"the {n_tiles} surest mistakes" if n_tiles < n_wrong else "the surest mistake first"
    top.suptitle(
        f"{n_wrong:,} of {len(problem.y_test):,} test images are misclassified, {shown}: predicted / true and probabilities"
    )
    tiles = top.subplots(n_rows, N_COLUMNS, squeeze=False).ravel()
    for empty in tiles[n_tiles:]:
        empty.set_axis_off()
    MisclassifiedDisplay.from_estimator(
        model, problem.X_test, problem.y_test, image_shape=shape, max_rows=n_tiles, ax=tiles[:n_tiles]
    )
    bottom.suptitle("Coefficients of each class")
    coefficients = bottom.subplots(2, 5)
    display = CoefficientDisplay.from_estimator(model, image_shape=shape, ax=coefficients)
    bottom.colorbar(display.artists_[0], ax=coefficients, extend="both")
    figure.savefig(output, dpi=120)
    print(f"Saved {output}")


# %%
# All together
# ------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().partition("\n")[0])
    parser.add_argument("--data", choices=PROBLEMS, default="digits")
    parser.add_argument("--output", type=Path, help="where the picture goes; by default quickstart_<data>.png")
    arguments = parser.parse_args()

    problem = PROBLEMS[arguments.data]()
    print(
        f"{arguments.data}: {len(problem.y_train):,} training rows, {problem.n_search:,} of them searched with "
        f"{problem.n_folds} folds, {len(problem.y_test):,} test rows"
    )
    print(f"First fit: {warm_up(problem):.1f} s. It compiles, once an installation, and keeps the code on disk.\n")
    results = [compete(problem, name) for name in CLASSIFIERS]
    print(table([outcome for outcome, _ in results]), end="\n\n")
    try:
        draw(problem, results[0][1], arguments.output or Path(f"quickstart_{arguments.data}.png"))
    except ImportError as error:
        print(f"No picture: {error}")


if __name__ == "__main__":
    main()
