"""Ensemble temperature scaling: a mixture of scaled, given and uniform probabilities.

What lives here: ``EnsembleTemperatureScaling`` and the fit of mixture weights. What doesn't: the temperature (``_likelihood``).
"""

from __future__ import annotations

import warnings
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from ..kernels import rowwise as kernels
from ..losses import Targets
from ._base import Calibrator
from ._inputs import BLOCK_ROWS
from ._likelihood import Optimum, fit_temperature
from ._mixing import mix_uniform
from .temperature import divide_logits

MAX_ITER = 100
# Nats: the fit ends when the predicted decrease of the mean cross-entropy is less.
TOL = 1e-14


class EnsembleTemperatureScaling(Calibrator):
    r"""Ensemble temperature scaling (ETS): a mixture of the scaled, the given and uniform probabilities.

    .. math:: p = w_1 \, \mathrm{softmax}(z / T) + w_2 \, \mathrm{softmax}(z) + w_3 / K, \qquad w \geq 0, \; \sum_m w_m = 1

    T is that of temperature scaling; the weights then maximise the likelihood, a convex problem. The order of a row's
    probabilities does not change, and the likelihood of the rows of the fit is no less than with the temperature alone.

    Parameters
    ----------
    input : {"logits", "proba"}, default="logits"
        What the calibrator is given; not inferred from values. The logarithm of probabilities is taken; zeros are replaced by
        a third of the least positive one in the rows of the fit, or in their own row if that is less.

    Attributes
    ----------
    temperature_, input_mixing_ : float
        As for ``TemperatureScaling``.
    mixture_weights_ : ndarray of shape (3,), float64
        Weights of the scaled, the given and the uniform probabilities.
    log_likelihood_ : float
        Weighted sum, over the rows of the fit, of the log-probability of the true class, in nats; at most 0.
    classes_ : ndarray of shape (n_classes,)
    n_features_in_ : int
        Columns of the logits: the number of classes, or 1 for two classes with one logit.

    Notes
    -----
    Where the likelihood has no unique maximum in the temperature, the temperature of ``TemperatureScaling`` is used, with the
    same ``ConvergenceWarning``.

    References
    ----------
    Zhang, Kailkhura & Han (2020), "Mix-n-Match: Ensemble and Compositional Methods for Uncertainty Calibration in Deep
    Learning".

    Examples
    --------
    Three labels in ten are random, which the uniform component accounts for:

    >>> import numpy as np
    >>> from sksoftmax.calibration import EnsembleTemperatureScaling
    >>> rng = np.random.default_rng(0)
    >>> logits = 6 * rng.normal(size=(5000, 4))
    >>> y = np.where(rng.uniform(size=5000) < 0.7, logits.argmax(axis=1), rng.integers(4, size=5000))
    >>> calibrator = EnsembleTemperatureScaling().fit(logits, y)
    >>> print(calibrator.mixture_weights_[2].round(1))
    0.3
    """

    temperature_: float
    input_mixing_: float
    mixture_weights_: NDArray[np.float64]

    def _fit(self, logits: NDArray, targets: Targets, total_weight: float) -> dict[str, Any]:
        optimum = fit_temperature(logits, targets, total_weight)
        if optimum.degenerate_reason:
            message = (
                f"Ensemble temperature scaling: {optimum.degenerate_reason}. temperature_ is set to {optimum.temperature:.3g}."
            )
            warnings.warn(message, ConvergenceWarning, stacklevel=4)
        proba, weight = _target_proba(logits, targets, optimum)
        mixture, loss = _fit_mixture(proba, weight)
        return {
            "temperature_": optimum.temperature,
            "input_mixing_": optimum.mixing,
            "mixture_weights_": mixture,
            "log_likelihood_": -total_weight * loss,
        }

    def _transform(self, logits: NDArray) -> NDArray:
        out = np.empty_like(logits)
        with np.errstate(divide="ignore"):
            log_mixture = np.log(self.mixture_weights_)
        for start in range(0, len(logits), BLOCK_ROWS):
            given = logits[start : start + BLOCK_ROWS].astype(np.float64)
            scaled = divide_logits(mix_uniform(given, self.input_mixing_), self.temperature_)
            kernels.log_softmax(given, len(given))
            kernels.log_softmax(scaled, len(scaled))
            uniform = log_mixture[2] - np.log(given.shape[1])
            mixed = np.logaddexp(log_mixture[0] + scaled, log_mixture[1] + given)
            out[start : start + BLOCK_ROWS] = np.logaddexp(mixed, uniform)
        return out


def _target_proba(logits: NDArray, targets: Targets, optimum: Optimum) -> tuple[NDArray, NDArray]:
    """Return the targets' probabilities by the three members, (n_targets, 3), and the targets' weights.

    A row of class probabilities has a target for each positive one.
    """
    proba, weights = [], []
    for start in range(0, len(logits), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        given = logits[block].astype(np.float64)
        weight = targets.weight[block]
        share: NDArray
        if targets.labels is not None:
            rows = np.flatnonzero(weight > 0)
            classes: NDArray = targets.labels[block][rows]
            share = np.ones(len(rows))
        else:
            assert targets.proba is not None
            rows, classes = np.nonzero(targets.proba[block] * (weight > 0)[:, None])
            share = targets.proba[block][rows, classes] / targets.proba[block].sum(axis=1, dtype=np.float64)[rows]
        scaled = divide_logits(mix_uniform(given, optimum.mixing), optimum.temperature)
        kernels.softmax(given, len(given))
        kernels.softmax(scaled, len(scaled))
        uniform = np.full(len(rows), 1 / given.shape[1])
        proba.append(np.column_stack([scaled[rows, classes], given[rows, classes], uniform]))
        weights.append(weight[rows] * share)
    return np.concatenate(proba), np.concatenate(weights)


def _fit_mixture(proba: NDArray[np.float64], weight: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Return the mixture weights that minimise the mean cross-entropy, and the minimum.

    Parameters
    ----------
    proba : ndarray of shape (n_targets, n_members)
        Probabilities of the targets by each member.
    weight : ndarray of shape (n_targets,)
        Summing to one.
    """
    # Sequential quadratic programming. With P = proba, v = weight and R = P / (P m) the loss -Σ_i v_i log(P m)_i is convex in
    # the mixture m, with the gradient -R' v and the Hessian R' diag(v) R. Each quadratic model is minimised exactly over the
    # simplex, which has few faces; a backtracking line search with the Armijo condition makes the method converge from any
    # start.
    n_members = proba.shape[1]
    mixture = np.full(n_members, 1 / n_members)
    loss = -float(weight @ np.log(proba @ mixture))
    for _ in range(MAX_ITER):
        ratio = proba / (proba @ mixture)[:, None]
        gradient, hessian = -(weight @ ratio), (ratio * weight[:, None]).T @ ratio
        step = _simplex_minimum(hessian, gradient - hessian @ mixture) - mixture
        slope = float(gradient @ step)
        if slope > -TOL:
            break
        length = 1.0
        while length > 1e-12:
            trial = np.maximum(mixture + length * step, 0.0)
            trial /= trial.sum()
            with np.errstate(divide="ignore"):
                new_loss = -float(weight @ np.log(proba @ trial))
            if new_loss <= loss + 1e-4 * length * slope:
                break
            length /= 2
        else:
            break
        mixture, loss = trial, new_loss
    return mixture, loss


def _simplex_minimum(hessian: NDArray[np.float64], linear: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the minimiser of x @ hessian @ x / 2 + linear @ x over the simplex.

    For each face the minimum under the equality constraint is found from its Lagrange conditions; the least of those inside the
    simplex is the minimum.
    """
    n = len(linear)
    best, least = np.full(n, 1 / n), float("inf")
    for size in range(1, n + 1):
        for face in combinations(range(n), size):
            kept = list(face)
            system = np.ones((size + 1, size + 1))
            system[-1, -1] = 0
            system[:-1, :-1] = hessian[np.ix_(kept, kept)]
            inside = np.linalg.lstsq(system, np.append(-linear[kept], 1.0), rcond=None)[0][:-1]
            if np.any(inside < 0) or abs(inside.sum() - 1) > 1e-9:
                continue
            point = np.zeros(n)
            point[kept] = inside
            value = float(point @ hessian @ point / 2 + linear @ point)
            if value < least:
                best, least = point, value
    return best
