"""The objectives of calibrators that are ridge regressions once more, slowly, and their minima as SciPy finds them.

Nothing here imports sksoftmax. A row of targets is always a row of class probabilities.
"""

import math

import numpy as np
from scipy.optimize import minimize

import reference


def mixed_log_proba(logits, temperature, mixing):
    """Log-probabilities at a temperature, mixed with equal ones."""
    n_classes = len(logits[0])
    return np.array(
        [[math.log((1 - mixing) * p + mixing / n_classes) for p in reference.softmax(np.asarray(row) / temperature)]
         for row in logits]
    )  # fmt: skip


def objective(z, target, weight, coef, intercept, *, on_diagonal, off_diagonal, on_intercept):
    """Mean cross-entropy of coef @ z + intercept plus weighted squares of coef less the identity and of intercept."""
    losses = [reference.cross_entropy(coef @ row + intercept, t) for row, t in zip(z, target, strict=True)]
    deviation = coef - np.eye(len(coef))
    diagonal = np.sum(deviation.diagonal() ** 2)
    ridge = on_diagonal * diagonal + off_diagonal * (np.sum(deviation**2) - diagonal) + on_intercept * np.sum(intercept**2)
    return math.fsum(weight * losses) / math.fsum(weight) + ridge


def minimum(z, target, weight, shape, **ridge):
    """The least objective over coef that is a matrix, a diagonal or a multiple of the identity."""
    n_classes = z.shape[1]

    def split(params):
        coef, intercept = params[:-n_classes], params[-n_classes:]
        if shape == "matrix":
            return coef.reshape(n_classes, n_classes), intercept
        return np.diag(np.broadcast_to(coef, n_classes)), intercept

    start = {"matrix": np.eye(n_classes).ravel(), "diagonal": np.ones(n_classes), "multiple": np.ones(1)}[shape]
    start = np.append(start, np.zeros(n_classes))
    result = minimize(lambda params: objective(z, target, weight, *split(params), **ridge), start, options={"gtol": 1e-7})
    return result.fun


def multiple_ridge(ridge, n_classes):
    """Weights that count the one number of a multiple of the identity once, not once a class."""
    return {**ridge, "on_diagonal": ridge["on_diagonal"] / n_classes}
