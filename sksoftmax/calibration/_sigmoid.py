"""Unpenalised logistic regression on a few columns: the fit behind one-vs-rest and beta calibration.

What lives here: ``fit_sigmoid``, sigmoids in logarithms, differences of huge logits. What doesn't: what the columns are
(``one_vs_rest``, ``beta``).
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
    """Return coefficients, intercept and mean cross-entropy of the sigmoid of the greatest likelihood.

    Parameters
    ----------
    columns : ndarray of shape (n_rows, n_columns)
        n_columns may be zero. Finite.
    proba : ndarray of shape (n_rows,)
        Of the second class. No line through the columns may separate it from the first, or there is no maximum.
    weight : ndarray of shape (n_rows,)
        Not zero throughout.
    """
    weight = weight / weight.sum()
    # Scaling by powers of two is exact; squares of the scaled numbers do not overflow.
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


def finite_line(values: NDArray[np.float64], dtype: np.dtype) -> NDArray[np.float64]:
    """Return values within a quarter of the largest number of a dtype: their log-sigmoids and differences are finite in it."""
    limit = float(np.finfo(dtype).max) / 4
    return np.clip(values, -limit, limit)


def difference(logits: NDArray, others: NDArray) -> NDArray[np.float64]:
    """Return logits - others in float64, infinite only where one of them is."""
    with np.errstate(over="ignore"):
        out = np.subtract(logits, others, dtype=np.float64)
    infinite = np.isinf(out)
    if not infinite.any():
        return out
    return np.where(infinite & np.isfinite(logits) & np.isfinite(others), np.nan_to_num(out), out)


def log_sigmoid(logit: NDArray) -> NDArray:
    """Return log(1 / (1 + exp(-logit))): as exact for large logits of either sign; 0 and −inf at the infinities."""
    return -np.logaddexp(0.0, -logit)
