"""The optimum to machine precision, slowly: what the solvers are tested against on hard problems.

A damped Newton method in float64 on the formulas of ``reference``, in coordinates that suit the problem: with an intercept the
columns are centred, which the unpenalised intercept takes up exactly, and every column is divided by the root of its own
curvature, which turns the penalty into a weighted one. Nothing here imports sksoftmax.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve, helmert

import reference


class Optimum(NamedTuple):
    """Coefficients and intercept for the columns as given, the objective there, and how much a Newton step would gain."""

    coef: np.ndarray
    intercept: np.ndarray
    value: float
    gap: float


def row_losses_and_proba(logits, target):
    """Cross-entropy of each row and the softmax; exact where a class is all but certain, as in ``reference.log_softmax``."""
    rows = np.arange(len(logits))
    leader = logits.argmax(axis=1)
    below = logits - logits[rows, leader][:, None]
    others = np.exp(below)
    others[rows, leader] = 0
    log_total = np.log1p(others.sum(axis=1))
    proba = np.exp(below - log_total[:, None])
    return target.sum(axis=1) * log_total - (target * below).sum(axis=1), proba


def residual(proba, target):
    """Gradient of the rows' losses by the logits; where the target is one, minus the other probabilities' sum."""
    certain = target == 1
    others = np.where(certain, 0, proba).sum(axis=1)
    return np.where(certain, -others[:, None], proba - target)


def cross_entropy_terms(logits, target):
    """Losses, gradients and Hessians by the logits of each row: (n,), (n, K) and (n, K, K)."""
    losses, proba = row_losses_and_proba(logits, target)
    curvature = proba[:, :, None] * (np.eye(proba.shape[1]) - proba[:, None, :])
    return losses, residual(proba, target), curvature


def hinge_terms(logits, target, margin=1.0, smoothing=0.1):
    """Those of ``reference.hinge``, smoothed."""
    own = (logits * target).sum(axis=1, keepdims=True)
    violations = np.where(target == 1, -np.inf, logits - own + margin)
    slopes = np.clip(violations / smoothing + 0.5, 0, 1)
    losses = np.where(slopes < 1, 0.5 * smoothing * slopes**2, np.maximum(violations, 0)).sum(axis=1)
    kinks = ((slopes > 0) & (slopes < 1)) / smoothing
    curvature = kinks[:, :, None] * np.eye(logits.shape[1]) - kinks[:, :, None] * target[:, None, :]
    curvature += kinks.sum(axis=1)[:, None, None] * target[:, :, None] * target[:, None, :]
    curvature -= target[:, :, None] * kinks[:, None, :]
    return losses, slopes - target * slopes.sum(axis=1, keepdims=True), curvature


def newton_optimum(
    X, target, weight, *, C, fit_intercept=True, label_smoothing=0.0, max_iter=200, offset=0.0, terms=cross_entropy_terms
):
    """Minimise mean loss plus penalty / (C * total weight) until a Newton step gains less than rounding, C finite.

    ``terms`` are those of the loss, at the logits plus ``offset``; of a sequence of them each begins where the one before
    ended.
    """
    X = np.asarray(X, dtype=np.float64)
    n_rows, n_features = X.shape
    n_classes = target.shape[1]
    total = weight.sum()
    share, alpha = weight / total, 1 / (C * total)
    target = np.array([reference.smoothed(row, label_smoothing) for row in target])
    centre = share @ X if fit_intercept else np.zeros(n_features)
    columns = X - centre
    scale = np.sqrt(share @ columns**2 + alpha)
    design = np.column_stack([columns / scale, np.ones(n_rows)]) if fit_intercept else columns / scale
    width = design.shape[1]
    ridge = np.zeros(width)
    ridge[:n_features] = alpha / scale**2
    # Two classes are one row of coefficients, against zero. Of more classes the coefficients sum to zero at the optimum, for
    # the loss does not feel their mean and the penalty does: they are written in an orthonormal basis of such sums.
    basis = np.array([[0.0], [1.0]]) if n_classes == 2 else helmert(n_classes).T
    n_free = basis.shape[1]
    squares = (design[:, :, None] * design[:, None, :]).reshape(n_rows, -1)

    def evaluate(params, terms):
        losses, errors, curvature = terms(design @ params.T @ basis.T + offset, target)
        curvature = (basis.T @ curvature @ basis).reshape(n_rows, -1)
        return share @ losses + 0.5 * np.sum(ridge * params**2), errors @ basis, curvature

    params = np.zeros((n_free, width))
    for kind in terms if isinstance(terms, list) else [terms]:
        params, value, gap = _newton(params, partial(evaluate, terms=kind), share, design, squares, ridge, max_iter)
    rows = params if n_classes == 2 else basis @ params
    coef = rows[:, :n_features] / scale
    intercept = rows[:, n_features] - coef @ centre if fit_intercept else np.zeros(len(rows))
    return Optimum(coef, intercept, value, gap)


def _newton(params, evaluate, share, design, squares, ridge, max_iter):
    """Return where damped Newton steps lead, the value there, and how much another one would gain."""
    n_free, width = params.shape
    value, errors, curvature = evaluate(params)
    for _ in range(max_iter):
        gradient = ((share[:, None] * errors).T @ design + ridge * params).ravel()
        hessian = ((share[:, None] * curvature).T @ squares).reshape(n_free, n_free, width, width).swapaxes(1, 2)
        hessian = hessian.reshape(n_free * width, -1) + np.diag(np.tile(ridge, n_free))
        unit = 1 / np.sqrt(np.maximum(hessian.diagonal(), 1e-12))
        # Where kinks leave no curvature but the ridge's, rounding must not make the matrix indefinite.
        factor = cho_factor(hessian * unit * unit[:, None] + 1e-15 * np.eye(len(unit)))
        step = -unit * cho_solve(factor, unit * gradient)
        gap = -0.5 * float(gradient @ step)
        if gap <= 1e-15 * value:
            break
        length, step = 1.0, step.reshape(params.shape)
        new = evaluate(params + step)
        while new[0] > value - 1e-4 * length * gap and length > 1e-10:
            length /= 2
            new = evaluate(params + length * step)
        if new[0] >= value:  # rounding hides what is left
            break
        params = params + length * step
        value, errors, curvature = new
    return params, value, gap
