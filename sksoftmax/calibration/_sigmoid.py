"""Unpenalised logistic regression on a few columns, for one-vs-rest and beta calibration.

What lives here: ``fit_sigmoid``, targets of one class against the rest, log-sigmoids, differences without overflow. What
doesn't: the columns (``one_vs_rest``, ``beta``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..data.dataset import in_memory
from ..losses import CrossEntropy, Targets
from ..objectives.linear import LinearObjective
from ..penalties import L2
from ..solvers import NewtonCholesky, StoppingRule

STOP = StoppingRule(tol=1e-10, max_iter=200)


def fit_sigmoid(
    columns: NDArray[np.float64], proba: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float, float]:
    """Return coefficients, intercept and mean cross-entropy of the sigmoid with the greatest likelihood.

    Parameters
    ----------
    columns : ndarray of shape (n_rows, n_columns)
        Finite; n_columns may be zero.
    proba : ndarray of shape (n_rows,)
        Target probabilities of the second class. No linear function of the columns may separate the classes: the likelihood
        would have no maximum.
    weight : ndarray of shape (n_rows,)
        Non-negative, at least one positive.
    """
    weight = weight / weight.sum()
    # Columns are standardised for Newton's method. They are first scaled by powers of two, which is exact, so that their
    # squares do not overflow.
    exponent = np.frexp(np.abs(columns).max(axis=0, initial=0.0))[1]
    columns = np.ldexp(columns, -exponent)
    centre = weight @ columns
    scale = np.sqrt(weight @ (columns - centre) ** 2)
    varies = np.flatnonzero(scale > 1e-12 * np.abs(centre))  # constant columns get coefficients of zero
    X = np.ascontiguousarray((columns - centre)[:, varies] / scale[varies])
    if len(varies) == 0:
        X = np.zeros((len(columns), 1))
    targets = Targets(2, weight, proba=np.column_stack([1 - proba, proba]), class_weight=np.ones(2))
    data = in_memory(X, targets)
    objective = LinearObjective(data, CrossEntropy().bind(targets), L2(), 0.0, fit_intercept=True)
    solution = NewtonCholesky().solve(objective, np.zeros(objective.n_params), stop=STOP)
    scaled, intercept = objective.unpack(solution.params)
    coef = np.zeros(columns.shape[1])
    coef[varies] = scaled[0, : len(varies)] / scale[varies]
    return np.ldexp(coef, -exponent), float(intercept[0] - coef @ centre), solution.value


def class_shares(targets: Targets) -> list[NDArray[np.float64]]:
    """Return each class's share of every row's target, a vector a class; for two classes that of the second alone."""
    classes = range(1, 2) if targets.n_classes == 2 else range(targets.n_classes)
    if targets.labels is not None:
        return [(targets.labels == k).astype(np.float64) for k in classes]
    assert targets.proba is not None
    total = targets.proba.sum(axis=1, dtype=np.float64)
    return [targets.proba[:, k] / total for k in classes]


def finite_line(values: NDArray[np.float64], dtype: np.dtype) -> NDArray[np.float64]:
    """Return values clipped to a quarter of a dtype's largest number, so that log-sigmoids and differences are finite in it."""
    limit = float(np.finfo(dtype).max) / 4
    return np.clip(values, -limit, limit)


def difference(logits: NDArray, others: NDArray) -> NDArray[np.float64]:
    """Return logits - others in float64; where the difference of finite numbers overflows, the largest finite number."""
    with np.errstate(over="ignore"):
        out = np.subtract(logits, others, dtype=np.float64)
    infinite = np.isinf(out)
    if not infinite.any():
        return out
    return np.where(infinite & np.isfinite(logits) & np.isfinite(others), np.nan_to_num(out), out)


def log_sigmoid(logit: NDArray) -> NDArray:
    """Return log(1 / (1 + exp(-logit))), accurate for large logits of either sign; 0 at +inf, −inf at −inf."""
    return -np.logaddexp(0.0, -logit)
