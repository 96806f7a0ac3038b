"""Whole fits with default settings against scikit-learn's: seconds, and how far from the optimum they end.

``python benchmarks/bench_fit.py`` runs all problems, or those named: digits, wine, letters, fashion-mnist. The gap is the
objective's distance to the best that any solver found at a tight tolerance, in nats a row.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from _measure import heading
from numpy.typing import NDArray
from sklearn.datasets import load_digits, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.functional import cross_entropy

sys.path.append(str(Path(__file__).resolve().parent.parent / "examples"))
from _fashion_mnist import load_fashion_mnist  # the examples read it too


class Fit(NamedTuple):
    seconds: float
    objective: float
    n_iter: int
    warned: bool


def letters() -> tuple[NDArray, NDArray]:
    """Return rows like those of the letter recognition data: 16 integer features of 0..15, 26 classes."""
    rng = np.random.default_rng(0)
    centres, y = rng.uniform(2, 13, size=(26, 16)), rng.integers(26, size=20_000)
    X = np.clip(np.rint(centres[y] + 2.5 * rng.normal(size=(len(y), 16)) + rng.normal(size=(len(y), 1))), 0, 15)
    return X, y


def fashion_mnist() -> tuple[NDArray, NDArray]:
    images, labels, *_ = load_fashion_mnist()
    return (images / 255).astype(np.float32), labels


PROBLEMS: dict[str, Callable[[], tuple[NDArray, NDArray]]] = {
    "digits": lambda: load_digits(return_X_y=True),
    "wine": lambda: load_wine(return_X_y=True),
    "letters": letters,
    "fashion-mnist": fashion_mnist,
}
MODELS: dict[str, Callable[[], SoftmaxRegressionClassifier | LogisticRegression]] = {
    "SoftmaxRegressionClassifier()": SoftmaxRegressionClassifier,
    "LogisticRegression()": LogisticRegression,
    "LogisticRegression(max_iter=10_000)": lambda: LogisticRegression(max_iter=10_000),
    "LogisticRegression(solver='newton-cholesky')": lambda: LogisticRegression(solver="newton-cholesky"),
}
# Its Hessian would have 7,850 squared entries, and take an hour.
LEFT_OUT = {("fashion-mnist", "LogisticRegression(solver='newton-cholesky')")}


def fit(model: SoftmaxRegressionClassifier | LogisticRegression, X: NDArray, y: NDArray) -> Fit:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        began = time.perf_counter()
        model.fit(X, y)
        seconds = time.perf_counter() - began
    coef, intercept = model.coef_.astype(np.float64), model.intercept_.astype(np.float64)
    penalty = 0.5 * np.sum(coef**2) / (model.C * len(y))
    objective = float(cross_entropy(X.astype(np.float64) @ coef.T + intercept, y)) + penalty
    return Fit(seconds, objective, int(model.n_iter_[0]), bool(caught))


def measure(name: str, n_threads: int, repeats: int) -> list[str]:
    X, y = PROBLEMS[name]()
    y = np.unique(y, return_inverse=True)[1]
    fits: dict[str, list[Fit]] = {model: [] for model in MODELS if (name, model) not in LEFT_OUT}
    with threadpool_limits(n_threads):
        fit(SoftmaxRegressionClassifier(max_iter=5), X, y)  # compiles
        for _ in range(repeats):
            for model, taken in fits.items():
                time.sleep(0.1)  # threads of the one before fall asleep
                taken.append(fit(MODELS[model](), X, y))
        tight = fit(SoftmaxRegressionClassifier(tol=1e-9), X.astype(np.float64), y)
    best = min([tight.objective, *(taken[0].objective for taken in fits.values())])
    return [
        f"| {name} | {n_threads} | {model} | {statistics.median(each.seconds for each in taken):.3g} | "
        f"{taken[0].n_iter} | {taken[0].objective - best:.1e} | {'yes' if taken[0].warned else 'no'} |"
        for model, taken in fits.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    # argparse holds the empty list of a bare call to be a choice too.
    parser.add_argument("problems", nargs="*", choices=[[], *PROBLEMS], metavar="PROBLEM", help="all by default")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each, of which the median counts")
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    arguments = parser.parse_args()
    print(f"Medians of {arguments.repeats} interleaved runs after a warm-up. {heading()}.\n")
    print("| data | threads | model | seconds | iterations | gap, nats | warned |\n|:--|--:|:--|--:|--:|--:|:--|")
    for name in arguments.problems or PROBLEMS:
        for n_threads in arguments.threads:
            print("\n".join(measure(name, n_threads, arguments.repeats)), flush=True)


if __name__ == "__main__":
    main()
