"""
Quickstart: tune, test once, look at the mistakes
=================================================

A softmax regression on images of digits: the strength of its penalty and the label smoothing are chosen on validation folds
by cross-entropy, which judges the probabilities and not just the most probable class. Then the test set is touched, once.
scikit-learn's ``LogisticRegression`` goes through the same for comparison.

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
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._optional import import_optional
from sksoftmax.losses import CrossEntropy

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
    label_smoothing: list[float]


def digits() -> Problem:
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, stratify=y, random_state=0)
    return Problem(X_train, y_train, X_test, y_test, len(y_train), 5, [0.1, 1.0, 10.0, 100.0], [0.0, 0.01])


def fashion_mnist() -> Problem:
    X_train, y_train, X_test, y_test = load_fashion_mnist()
    X_train, X_test = X_train.astype(np.float32), X_test.astype(np.float32)
    return Problem(X_train, CLASSES[y_train], X_test, CLASSES[y_test], 6000, 3, [0.03, 0.1, 0.3], [0.0, 0.01])


PROBLEMS = {"digits": digits, "fashion-mnist": fashion_mnist}

# %%
# Search and test
# ---------------
# Both models may use the same number of iterations. The loss is an object, so that its hyperparameter is searched under a
# nested name like any other.


@dataclass(frozen=True)
class Outcome:
    name: str
    chosen: str
    cross_entropy: float
    accuracy: float
    balanced_accuracy: float
    search_seconds: float
    fit_seconds: float
    n_warnings: int


def contenders(problem: Problem) -> dict[str, tuple[Pipeline, dict[str, list[float]]]]:
    """Return pipelines and the grids to search for them."""
    ours = make_pipeline(MinMaxScaler(), SoftmaxRegressionClassifier(loss=CrossEntropy(), max_iter=1000))
    peer = make_pipeline(MinMaxScaler(), LogisticRegression(max_iter=1000))
    smoothing = "softmaxregressionclassifier__loss__label_smoothing"
    return {
        "SoftmaxRegressionClassifier": (
            ours,
            {"softmaxregressionclassifier__C": problem.C, smoothing: problem.label_smoothing},
        ),
        "LogisticRegression": (peer, {"logisticregression__C": problem.C}),
    }


def search(problem: Problem, pipeline: Pipeline, grid: dict[str, list[float]]) -> tuple[dict[str, float], Pipeline]:
    """Return the hyperparameters with the lowest cross-entropy on the folds, and the pipeline set to them."""
    X, y = problem.X_train, problem.y_train
    if problem.n_search < len(y):
        X, _, y, _ = train_test_split(X, y, train_size=problem.n_search, stratify=y, random_state=0)
    found = GridSearchCV(pipeline, grid, scoring="neg_log_loss", cv=problem.n_folds, refit=False).fit(X, y)
    return found.best_params_, pipeline.set_params(**found.best_params_)


def compete(problem: Problem, name: str, pipeline: Pipeline, grid: dict[str, list[float]]) -> tuple[Outcome, Pipeline]:
    """Search, fit to all training rows, and score on the test rows."""
    with warnings.catch_warnings(record=True) as caught:
        # Counted for the table, where a hundred lines of them would drown it.
        warnings.simplefilter("always", ConvergenceWarning)
        began = time.perf_counter()
        chosen, pipeline = search(problem, pipeline, grid)
        searched = time.perf_counter()
        pipeline.fit(problem.X_train, problem.y_train)
        fitted = time.perf_counter()
    proba = pipeline.predict_proba(problem.X_test)
    predicted = pipeline.classes_[proba.argmax(axis=1)]
    return Outcome(
        name=name,
        chosen=", ".join(f"{key.rpartition('__')[2]}={value:g}" for key, value in chosen.items()),
        cross_entropy=log_loss(problem.y_test, proba, labels=pipeline.classes_),
        accuracy=accuracy_score(problem.y_test, predicted),
        balanced_accuracy=balanced_accuracy_score(problem.y_test, predicted),
        search_seconds=searched - began,
        fit_seconds=fitted - searched,
        n_warnings=sum(issubclass(warning.category, ConvergenceWarning) for warning in caught),
    ), pipeline


def table(outcomes: list[Outcome]) -> str:
    columns = [
        ("model", [outcome.name for outcome in outcomes]),
        ("chosen", [outcome.chosen for outcome in outcomes]),
        ("cross-entropy", [f"{outcome.cross_entropy:.4f}" for outcome in outcomes]),
        ("accuracy", [f"{outcome.accuracy:.4f}" for outcome in outcomes]),
        ("balanced", [f"{outcome.balanced_accuracy:.4f}" for outcome in outcomes]),
        ("search s", [f"{outcome.search_seconds:.1f}" for outcome in outcomes]),
        ("fit s", [f"{outcome.fit_seconds:.2f}" for outcome in outcomes]),
        ("warnings", [f"{outcome.n_warnings}" for outcome in outcomes]),
    ]
    padded = []
    for title, cells in columns:
        width = max(map(len, [title, *cells]))
        padded.append([cell.ljust(width) for cell in (title, "-" * width, *cells)])
    return "\n".join("  ".join(line).rstrip() for line in zip(*padded, strict=True))


# %%
# The picture
# -----------
# The mistakes that the model was surest of, and what each class looks for: red pixels speak for the class, blue ones against.

N_COLUMNS = 8
MAX_ROWS = 3


def draw(problem: Problem, pipeline: Pipeline, output: Path) -> None:
    """Save tiles of misclassified test images above the coefficients of every class."""
    plt = import_optional("matplotlib.pyplot", purpose="The picture")
    proba = pipeline.predict_proba(problem.X_test)
    predicted = pipeline.classes_[proba.argmax(axis=1)]
    wrong = np.flatnonzero(predicted != problem.y_test)
    surest = wrong[np.argsort(-proba[wrong].max(axis=1))][: N_COLUMNS * MAX_ROWS]

    n_rows = -(-len(surest) // N_COLUMNS)
    heights = [1.7 * n_rows + 0.8, 3.8]
    figure = plt.figure(figsize=(11, sum(heights)), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.08)
    top, bottom = figure.subfigures(2, 1, height_ratios=heights)
    shown = f"the surest {len(surest)}" if len(surest) < len(wrong) else "the surest first"
    top.suptitle(
        f"{len(wrong):,} of {len(predicted):,} test images are misclassified; {shown}:\n"
        "predicted / true, and the probability of the predicted class"
    )
    captions = [f"{predicted[i]} / {problem.y_test[i]}\n{proba[i].max():.1%}" for i in surest]
    tiles(top, problem.X_test[surest], captions, (n_rows, N_COLUMNS), cmap="gray_r")
    bottom.suptitle("Coefficients: red pixels speak for the class, blue ones against it")
    coef = pipeline[-1].coef_
    bound = np.percentile(np.abs(coef), 99.5)
    tiles(bottom, coef, pipeline.classes_, (2, 5), cmap="RdBu_r", vmin=-bound, vmax=bound)
    figure.savefig(output, dpi=120)
    print(f"Saved {output}")


def tiles(figure, images: NDArray, captions, shape: tuple[int, int], **style) -> None:
    side = round(images.shape[1] ** 0.5)
    axes = figure.subplots(*shape, squeeze=False).ravel()
    for axis in axes:
        axis.set_axis_off()
    for axis, image, caption in zip(axes, images, captions, strict=False):
        axis.imshow(image.reshape(side, side), **style)
        axis.set_title(caption, fontsize=9)


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
        f"{problem.n_folds} folds, {len(problem.y_test):,} test rows\n"
    )
    results = [compete(problem, name, *contender) for name, contender in contenders(problem).items()]
    print(table([outcome for outcome, _ in results]), end="\n\n")
    try:
        draw(problem, results[0][1], arguments.output or Path(f"quickstart_{arguments.data}.png"))
    except ImportError as error:
        print(f"No picture: {error}")


if __name__ == "__main__":
    main()
