"""Whole fits with default settings against scikit-learn's: seconds, and how far from the optimum they end.

``python benchmarks/bench_fit.py`` runs all of ``NAMES``, or those named. The gap is the objective's distance to its optimum, in
nats a row; ``bench_solvers.py`` tells how it falls over time.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from _measure import heading
from _optima import exact_objective, optimum
from _problems import PROBLEMS, Problem
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from sksoftmax import SoftmaxRegressionClassifier


class Fit(NamedTuple):
    seconds: float
    objective: float
    n_iter: int
    warned: bool


NAMES = ("iris", "wine", "breast-cancer", "digits", "letters", "fashion-1-float32")
MODELS: dict[str, Callable[[], SoftmaxRegressionClassifier | LogisticRegression]] = {
    "SoftmaxRegressionClassifier()": SoftmaxRegressionClassifier,
    "LogisticRegression()": LogisticRegression,
    "LogisticRegression(max_iter=10_000)": lambda: LogisticRegression(max_iter=10_000),
    "LogisticRegression(solver='newton-cholesky')": lambda: LogisticRegression(solver="newton-cholesky"),
}
# Its Hessian would have 7,850 squared entries, and take an hour.
LEFT_OUT = {("fashion-1-float32", "LogisticRegression(solver='newton-cholesky')")}


def fit(model: SoftmaxRegressionClassifier | LogisticRegression, problem: Problem) -> Fit:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        began = time.perf_counter()
        model.fit(problem.X, problem.y)
        seconds = time.perf_counter() - began
    objective = exact_objective(problem, model.coef_, model.intercept_).value
    return Fit(seconds, objective, int(np.max(model.n_iter_)), bool(caught))


def measure(name: str, n_threads: int, repeats: int) -> list[str]:
    problem = PROBLEMS[name]()
    best = optimum(name, problem)
    fits: dict[str, list[Fit]] = {model: [] for model in MODELS if (name, model) not in LEFT_OUT}
    with threadpool_limits(n_threads):
        fit(SoftmaxRegressionClassifier(max_iter=5), problem)  # compiles
        for _ in range(repeats):
            for model, taken in fits.items():
                time.sleep(0.1)  # threads of the one before fall asleep
                taken.append(fit(MODELS[model](), problem))
    return [
        f"| {problem.what} | {n_threads} | {model} | {statistics.median(each.seconds for each in taken):.3g} | "
        f"{taken[0].n_iter} | {taken[0].objective - best:.1e} | {'yes' if taken[0].warned else 'no'} |"
        for model, taken in fits.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    # argparse holds the empty list of a bare call to be a choice too.
    parser.add_argument("problems", nargs="*", choices=[[], *NAMES], metavar="PROBLEM", help="all by default")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each, of which the median counts")
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    arguments = parser.parse_args()
    print(f"Medians of {arguments.repeats} interleaved runs after a warm-up. {heading()}.\n")
    print("| data | threads | model | seconds | iterations | gap, nats | warned |\n|:--|--:|:--|--:|--:|--:|:--|")
    for name in arguments.problems or NAMES:
        for n_threads in arguments.threads:
            print("\n".join(measure(name, n_threads, arguments.repeats)), flush=True)


if __name__ == "__main__":
    main()
