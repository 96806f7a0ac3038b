"""The objective of a problem in float64, by scikit-learn's own code, and its optimum, found by more than one way.

What lives here: ``exact_objective``; ``optimum``, which ``optima.json`` keeps; ``find_optimum``. What doesn't: any timing.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from _problems import Problem
from numpy.typing import NDArray
from sklearn._loss import HalfBinomialLoss, HalfMultinomialLoss
from sklearn.linear_model import LogisticRegression
from sklearn.linear_model._linear_loss import LinearModelLoss

from sksoftmax import SoftmaxRegressionClassifier

OPTIMA = Path(__file__).resolve().parent / "optima.json"

# With more coefficients than this a solver that makes the Hessian has no place.
MAX_HESSIAN_COEFFICIENTS = 2500


class Exact(NamedTuple):
    """The objective, and how far above its optimum it is at most, as a part of it."""

    value: float
    relative_gap_at_most: float


def n_coefficients(problem: Problem) -> int:
    return len(np.unique(problem.y)) * problem.X.shape[1]


def exact_objective(problem: Problem, coef: NDArray, intercept: NDArray) -> Exact:
    """Evaluate in float64 whatever the dtype of X.

    The penalty makes the objective α-strongly convex in the coefficients, which puts the optimum at most |g|²/2α lower than
    a point with gradient g.
    """
    X = problem.X.astype(np.float64, copy=False)
    classes, labels = np.unique(problem.y, return_inverse=True)
    base = HalfBinomialLoss() if len(classes) == 2 else HalfMultinomialLoss(n_classes=len(classes))
    alpha = 1 / (problem.C * X.shape[0])
    # scikit-learn keeps each feature's coefficients of all classes together.
    params = np.column_stack([np.atleast_2d(coef), np.atleast_1d(intercept)]).astype(np.float64).ravel(order="F")
    loss = LinearModelLoss(base_loss=base, fit_intercept=True)
    value, gradient = loss.loss_gradient(params, X, labels.astype(np.float64), l2_reg_strength=alpha)
    return Exact(float(value), float(gradient @ gradient / (2 * alpha * value)))


def optimum(name: str, problem: Problem) -> float:
    """Return the least value of the objective, which is looked for once and then kept."""
    kept = json.loads(OPTIMA.read_text()) if OPTIMA.exists() else {}
    return kept[name]["value"] if name in kept else renew_optimum(name, problem)["value"]


def renew_optimum(name: str, problem: Problem) -> dict[str, float]:
    """Look for the optimum, keep and return what was found."""
    found = find_optimum(problem)
    # Read only now: the search may have taken long, and another run may have added its own.
    kept = json.loads(OPTIMA.read_text()) if OPTIMA.exists() else {}
    OPTIMA.write_text(json.dumps(kept | {name: found}, indent=2) + "\n")
    return found


def find_optimum(problem: Problem) -> dict[str, float]:
    """Return the least value that our solver finds at a tight tolerance, and what is known about its error.

    For few coefficients scikit-learn's Newton solver looks for it as well, and the lower value counts: a raw table's flattest
    directions leave a bound by the gradient that says little. For many coefficients there is the bound alone.
    """
    X = problem.X.astype(np.float64, copy=False)
    models = [SoftmaxRegressionClassifier(C=problem.C, tol=1e-11, max_iter=2000)]
    if n_coefficients(problem) <= MAX_HESSIAN_COEFFICIENTS:
        models.append(LogisticRegression(solver="newton-cholesky", C=problem.C, tol=1e-12, max_iter=100))
    ends = []
    for model in models:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tolerances near the rounding of the gradient are not always met
            model.fit(X, problem.y)
        ends.append(exact_objective(problem, model.coef_, model.intercept_))
    found = min(ends)._asdict()
    if len(ends) == 2:
        found["newton_cholesky_higher_by"] = ends[1].value / ends[0].value - 1
    return found
