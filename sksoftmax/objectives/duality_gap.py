r"""How far a point is at most above the minimum of a convex objective with a quadratic penalty: its duality gap.

.. math:: F(W, b) - \min F \; \le \; \sum_j \frac{(\partial F / \partial W_j)^2}{2 \alpha \lambda_j}
          \qquad \text{where} \quad \frac{\partial F}{\partial b} = 0

What lives here: this bound and the intercept that it needs. What doesn't: the rules of solvers that use it.

Fenchel's dual of :math:`F = \sum_i w_i \ell_i(z_i) + \tfrac{\alpha}{2} \sum_j \lambda_j W_j^2`, whose :math:`\ell_i` are convex
functions of the logits :math:`z_i = W x_i + b`, is
:math:`D(u) = -\sum_i w_i \ell_i^*(u_i) - \tfrac{1}{2 \alpha} \sum_j N_j^2 / \lambda_j` with
:math:`N = \sum_i w_i u_i x_i^\top`, for all u with :math:`\sum_i w_i u_i = 0`.

References
----------
Boyd & Vandenberghe (2004), "Convex Optimization", section 5.5.1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ._linear_sums import LinearSums
from .hessian import HESSIAN_ROWS, step_rows

# Logits kept for the exact intercept of a certificate, and their pairs: beyond, there is none.
KEPT_LOGITS, KEPT_PAIRS = 2**20, 2**31

Vector = NDArray[np.float64]

MAX_STEPS = 20
# The gradient by the intercept is a sum of n_rows numbers that weights sum to one: what is less is rounding.
EXACT = 1e-14


# Newton's method in n_logits dimensions for the loss as a function of the intercept alone, b: convex, with the gradient
# Σ w_i u_i and the Hessian Σ w_i ∇²ℓ_i. Where every row gives its class nearly all probability the Hessian spans many orders of
# magnitude: it is scaled to a unit diagonal, and a class without curvature gets a share of the largest. The step is that of
# least norm, which leaves a shift of all classes alone. Steps are damped by the condition of Armijo; near the optimum, where
# differences of values are rounding, to halve the gradient is enough. Plain fixed-point updates of b by the log of observed
# over predicted class shares were not taken: they converge linearly, and the bound needs the gradient at the precision of
# float64.


def best_shift(value_and_derivatives: Callable[[Vector], tuple[float, Vector, Vector]], n_logits: int) -> Vector:
    """Return what added to every row's logits makes the loss least, (n_logits,), by damped Newton steps.

    Parameters
    ----------
    value_and_derivatives : callable
        From a shift to the weighted loss, its gradient, (n_logits,), and its Hessian, (n_logits, n_logits).
    n_logits : int
    """
    shift = np.zeros(n_logits)
    value, gradient, hessian = value_and_derivatives(shift)
    for _ in range(MAX_STEPS):
        if np.abs(gradient).max() <= EXACT:
            break
        diagonal = np.maximum(hessian.diagonal(), 1e-12 * max(hessian.diagonal().max(), 1e-300))
        scale = 1 / np.sqrt(diagonal)
        # Shifts of all classes have no curvature and no gradient.
        step = -scale * np.linalg.lstsq(hessian * scale * scale[:, None], scale * gradient, rcond=1e-11)[0]
        slope = float(gradient @ step)
        if not np.isfinite(slope) or slope >= 0:
            break
        length = 1.0
        for _ in range(30):
            new = value_and_derivatives(shift + length * step)
            if new[0] <= value + 1e-4 * length * slope or np.abs(new[1]).max() < 0.5 * np.abs(gradient).max():
                break
            length /= 4
        else:
            break
        shift = shift + length * step
        value, gradient, hessian = new
    return shift


# 1. Weak duality: min F ≥ D(u) for every u that D is defined at. The intercept is free and not penalised, which makes
#    Σ w_i u_i = 0 a constraint: otherwise the Lagrangian is not bounded below in b.
# 2. The u to take is u_i = ∇ℓ_i(z_i), with which Fenchel's inequality is an equality: ℓ_i(z_i) + ℓ_i*(u_i) = u_iᵀz_i. Then
#    Σ w_i u_iᵀz_i = ⟨N, W⟩ + (Σ w_i u_i)ᵀb = ⟨N, W⟩.
# 3. So F - D = ⟨N, W⟩ + α/2 Σ λ_j W_j² + Σ N_j² / (2 α λ_j) = Σ (N_j + α λ_j W_j)² / (2 α λ_j), a complete square, and
#    N + α λ W = ∂F/∂W. No conjugate ℓ* has to be computed: any convex loss has the bound.
# 4. The constraint asks for the b that is optimal for W. It is found for the bound alone: F(W, b) - min F is what the given b
#    costs, F(W, b) - F(W, b'), plus the gap at b'. To project u on the constraint instead, by subtracting its mean over the
#    rows, was not taken: u may leave the domain of ℓ* (for a softmax: probabilities below zero). Nor may b stay as given: what
#    its gradient leaves makes the bound hundreds of times looser.


def linear_duality_gap(objective: LinearSums, strength: Vector, params: Vector) -> float:
    """Return the duality gap at params, in nats a row; inf where nothing is known.

    It is that of a point with the best intercept for these coefficients, to which what the given intercept costs is added.

    Parameters
    ----------
    objective : LinearSums
    strength : ndarray of shape (n_coef,)
        The penalty's second derivatives.
    params : ndarray of shape (n_params,)
    """
    n_rows, n_logits, n_coef = objective.n_rows, objective.n_logits, objective.n_coef
    fits_intercept = objective.layout.fit_intercept
    n_pairs = n_logits * (n_logits + 1) // 2
    too_large = n_rows * n_logits > max(KEPT_LOGITS, objective.in_memory.n_stored // 16) or n_rows * n_pairs > KEPT_PAIRS
    if not objective.convex or (fits_intercept and (too_large or not objective.has_hessian)):
        return np.inf
    if not np.all(strength > 0):
        return np.inf
    value, gradient = objective.value_and_gradient(params)
    lower = 0.0
    if fits_intercept:
        params = params.copy()
        params[n_coef:] += best_intercept_shift(objective, params)
        best, gradient = objective.value_and_gradient(params)
        lower = max(value - best, 0.0)
    coef = gradient[:n_coef]
    # What is left of the gradient by the intercept bounds the minimum only within its distance to the best one.
    left = float(np.abs(gradient[n_coef:]).sum() * (1 + np.abs(params[n_coef:]).max(initial=0.0)))
    with np.errstate(over="ignore"):
        return 0.5 * float(np.sum(np.square(coef / np.sqrt(strength)))) + lower + (left if left > 1e-10 else 0.0)


def best_intercept_shift(objective: LinearSums, params: Vector) -> Vector:
    """Return the change of the intercept that makes the loss least for the coefficients of params."""
    data, n_rows, n_logits = objective.in_memory, objective.n_rows, objective.n_logits
    kernel_params = data.rows.kernel_params(objective.layout.for_kernels(params))
    logits = np.empty((n_rows, n_logits))
    for start in range(0, n_rows, HESSIAN_ROWS):
        stop = min(start + HESSIAN_ROWS, n_rows)
        logits[start:stop] = data.score(kernel_params, start, stop)
    arguments = objective.loss.arguments(data.targets)
    lower = np.tril_indices(n_logits)
    n_at_once = step_rows(len(lower[0]))

    def value_and_derivatives(shift: NDArray) -> tuple[float, NDArray, NDArray]:
        value, gradient, pairs = 0.0, np.zeros(n_logits), np.zeros(len(lower[0]))
        for start in range(0, n_rows, n_at_once):
            stop = min(start + n_at_once, n_rows)
            part = logits[start:stop] + shift
            pair_weight = np.empty((len(pairs), stop - start))
            arguments.fill_pairs(start, stop, part.copy(), pair_weight)
            pairs += pair_weight.sum(axis=1)
            value += arguments.fill_value_and_gradient(start, stop, part)
            gradient += part.sum(axis=0)
        hessian = np.empty((n_logits, n_logits))
        hessian[lower] = hessian.T[lower] = pairs
        return value, gradient, hessian

    return best_shift(value_and_derivatives, n_logits)
