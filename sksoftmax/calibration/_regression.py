r"""Softmax regressions of logits with a ridge around the identity: the fits behind vector, matrix and Dirichlet scaling.

.. math:: \min_{W, b} \; \sum_i w_i \, H\bigl(t_i, \mathrm{softmax}(W z_i + b)\bigr)
          + \sum_{kj} \lambda_{kj} (W_{kj} - I_{kj})^2 + \mu \sum_k b_k^2, \qquad \sum_i w_i = 1

What lives here: the logits z that are regressed on, and the fits for W a matrix, a diagonal or a multiple of the identity. What
doesn't: the methods and the strengths of their ridges (``_scaling``, ``dirichlet``), objectives and solvers.
"""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from ..data.dataset import in_memory
from ..data.threads import effective_n_threads, run_fit
from ..kernels import rowwise as kernels
from ..losses import BoundLoss, CrossEntropy, Targets
from ..objectives.linear import LinearObjective
from ..objectives.logit_scaling import LogitScalingObjective
from ..penalties import PriorL2
from ..solvers import BlockLBFGS, NewtonCholesky, Solution, StoppingRule

Matrix = NDArray[np.float64]

# Of the gradient; the objective is then met to some 1e-10 nats.
STOP = StoppingRule(tol=1e-7, max_iter=500)
# Up to this number of parameters a few Newton steps take less time than tens of passes over the rows.
NEWTON_PARAMS = 128
LOWEST_LOG_PROBA = float(np.log(np.finfo(np.float64).tiny))
# Size of the design from which a second thread saves more time than it takes to start.
THREADED_SIZE = 2**18


def log_proba(logits: NDArray, temperature: float, *, mixing: float = 0.0) -> Matrix:
    r"""Return :math:`\log((1 - \varepsilon) \, \mathrm{softmax}(z / T) + \varepsilon / K)`; finite, float64.

    Parameters
    ----------
    logits : ndarray of shape (n_rows, n_classes), float32 or float64
        −inf is allowed.
    temperature : float
        Positive.
    mixing : float, default=0.0
        ε, the share of the uniform distribution, in [0, 1).

    Returns
    -------
    log_proba : ndarray of shape (n_rows, n_classes), float64
        At least ``LOWEST_LOG_PROBA``, where a probability underflows.
    """
    # The largest logit is subtracted before the division by a low temperature: only negative numbers may overflow, to −inf.
    with np.errstate(over="ignore"):
        scaled = np.subtract(logits, logits.max(axis=1, keepdims=True), dtype=np.float64)
        scaled /= temperature
    if mixing == 0:
        kernels.log_softmax(scaled, len(scaled))
        return np.maximum(scaled, LOWEST_LOG_PROBA, out=scaled)
    kernels.softmax(scaled, len(scaled))
    scaled *= 1 - mixing
    scaled += mixing / logits.shape[1]
    return np.log(scaled, out=scaled)


# With p_i = softmax(W z_i + b) the gradients are
#     by W: Σ_i w_i (p_i - t_i) z_i' + 2 λ ∘ (W - I),    by b: Σ_i w_i (p_i - t_i) + 2 μ b,
# those of a multinomial regression on the design [z, 1] with a Gaussian prior of mean [I, 0], and the Hessian is
#     Σ_i w_i (diag(p_i) - p_i p_i') ⊗ [z_i, 1] [z_i, 1]' + 2 diag(λ, μ).
# It is positive definite for positive λ and μ: the optimum is finite and unique, also where the rows are separable or a class
# is missing. PriorL2 has a factor of one half, so that its weights are twice the strengths.


def fit_diagonal(
    z: Matrix, targets: Targets, *, on_scale: float, on_intercept: float, shared: bool
) -> tuple[Matrix, Matrix, Solution]:
    """Return the scales, of shape (n_classes,) or (1,) if shared, the intercept and the solver's solution.

    Parameters
    ----------
    z : ndarray of shape (n_rows, n_classes), float64
    targets : Targets
    on_scale, on_intercept : float
        Strengths of the ridge, λ of (scale − 1)² and μ of intercept².
    shared : bool
        Whether all classes have one scale.
    """
    n_classes = z.shape[1]
    n_scales = 1 if shared else n_classes
    mean = np.repeat([1.0, 0.0], [n_scales, n_classes])
    weight = np.repeat([2 * on_scale, 2 * on_intercept], [n_scales, n_classes])
    n_threads = _n_threads(z)

    def solve(pool: ThreadPoolExecutor | None) -> tuple[Matrix, Matrix, Solution]:
        objective = LogitScalingObjective(z, targets, PriorL2(mean, weight), shared=shared, pool=pool, n_threads=n_threads)
        solution = _solver(objective.n_params).solve(objective, mean, stop=STOP)
        return *objective.split(solution.params), solution

    return run_fit(n_threads, solve)


def fit_matrix(
    z: Matrix, targets: Targets, *, on_diagonal: float, off_diagonal: float, on_intercept: float
) -> tuple[Matrix, Matrix, Solution]:
    """Return the matrix, the intercept and the solver's solution; parameters as those of ``fit_diagonal``."""
    n_classes = z.shape[1]
    identity = np.eye(n_classes, n_classes + 1)
    weight = np.full(identity.shape, 2 * off_diagonal)
    weight[identity == 1] = 2 * on_diagonal
    weight[:, -1] = 2 * on_intercept
    # An intercept that is penalised is the coefficient of a column of ones.
    design = np.ones((len(z), n_classes + 1))
    design[:, :-1] = z
    n_threads = _n_threads(design)

    def solve(pool: ThreadPoolExecutor | None) -> Solution:
        penalty = PriorL2(identity.ravel(), weight.ravel())
        data = in_memory(design, targets, pool=pool, n_threads=n_threads)
        objective = LinearObjective(data, all_logits(targets), penalty, 1.0, fit_intercept=False)
        return _solver(objective.n_params).solve(objective, identity.ravel(), stop=STOP)

    solution = run_fit(n_threads, solve)
    both = solution.params.reshape(identity.shape)
    return both[:, :-1].copy(), both[:, -1].copy(), solution


def all_logits(targets: Targets) -> BoundLoss:
    """Return the cross-entropy with a logit for each class, also for two classes, of which a classifier fits one logit."""
    return replace(CrossEntropy().bind(targets), n_logits=targets.n_classes, shift_invariant=True)


def warn_unless_converged(calibrator: object, solution: Solution) -> None:
    """Warn that a calibrator's fit has not converged; called by the calibrator's ``_fit``."""
    if not solution.converged:
        warnings.warn(
            f"{type(calibrator).__name__}: {solution.message}, with a gradient norm of {solution.gradient_norm:.3g}.",
            ConvergenceWarning,
            stacklevel=5,
        )


def _solver(n_params: int) -> NewtonCholesky | BlockLBFGS:
    return NewtonCholesky() if n_params <= NEWTON_PARAMS else BlockLBFGS()


def _n_threads(array: NDArray) -> int:
    return effective_n_threads() if array.size >= THREADED_SIZE else 1
