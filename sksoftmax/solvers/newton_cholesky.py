"""Exact Newton: the whole Hessian, factorised; few iterations, whatever the scale of the columns."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from scipy.linalg import lapack

from ..objectives._contracts import HasHessian
from ._base import History, Solution, Solver, Status, StoppingRule, Vector, advise_newton, without_shift
from ._line_search import line_search, observed_noise
from ._proof import Proof
from .lbfgs import LBFGS, advise_lbfgs

FELL_BACK = "and fell back"


@dataclass
class NewtonCholesky(Solver[HasHessian]):
    """Newton's method with the Cholesky factor of the whole Hessian and a backtracking line search.

    With p parameters an iteration costs about ``n_rows * p²`` + ``p³ / 3`` operations and ``2 p²`` float64 numbers of
    memory; six to twelve iterations are usual, for badly scaled and correlated columns too, since the Hessian is scaled to a
    unit diagonal before it is factorised.

    Stops when the gradient is within the tolerance and the decrease that the last Newton step promised within a hundredth
    of it (what is left is of the order of that decrease squared), or when that decrease is below the rounding error of the
    objective. Where the Hessian is singular, L-BFGS takes over from the point reached; where it and its factor would take
    more than ``max_bytes``, or than the machine has, from the start.

    Parameters
    ----------
    max_bytes : int, default=2**33
        Most memory for the Hessian and its factor.

    References
    ----------
    Boyd & Vandenberghe (2004), "Convex Optimization", section 9.5.
    """

    max_bytes: int = 2**33

    requires: ClassVar[tuple[type, ...]] = (HasHessian,)

    def minimise(self, objective: HasHessian, start: Vector, *, stop: StoppingRule, history: History) -> Solution:
        tol, max_iter = stop.gradient_tol, stop.max_iter
        n_bytes = 2 * 8 * objective.n_params**2
        if n_bytes > min(self.max_bytes, memory_bytes()):
            reason = f"would need {n_bytes / 1e9:.2g} GB for the Hessian and its factor"
            return fall_back(reason, objective, start, history, tol=tol, max_iter=max_iter)
        proof = Proof(objective, tol)
        params = without_shift(objective, start)
        value, gradient = objective.value_and_gradient(params)
        converged = objective.gradient_norm(gradient) == 0
        reason, gap, status = "", np.inf, Status.MAX_ITER
        while not converged and not history.stopped:
            may_step = len(history.iterations) < max_iter
            if not may_step and (history.iterations or objective.gradient_norm(gradient) > tol):
                break
            direction = newton_direction(objective, params, gradient)
            if direction is None:
                # The iteration that failed counts.
                left = max(max_iter - len(history.iterations) - 1, 0)
                reason = "met a singular Hessian"
                return fall_back(reason, objective, params, history, tol=tol, max_iter=left)
            slope = float(gradient @ direction)
            gap = -slope / 2  # to the optimum of the quadratic model
            rounding = objective.value_noise(value)
            found = line_search(objective, params, value, direction, slope) if may_step else None
            if found is not None:
                rounding = max(rounding, observed_noise(objective, value, found[1], found[2], found[0] - params))
                params, value, gradient = found
                history.record(params, value, gradient)
            converged = gap <= rounding or (gap <= tol / 100 and objective.gradient_norm(gradient) <= tol)
            ends = found is None or gap <= rounding
            # Where second derivatives may vanish, the next step may promise more than the last one.
            if (converged and not objective.strictly_convex) or (ends and not converged):
                converged = proof.holds(params, value, gradient)
            if ends and not converged:
                if may_step:
                    reason, status = " (the line search found no lower point)", Status.LINE_SEARCH_FAILED
                break
        if not converged and objective.gradient_norm(gradient) <= tol:
            reason = f" (the Newton step promised to lower the objective by {gap:.1g} nats, more than {tol / 100:.1g})"
        outcome = "converged" if converged else "did not converge"
        message = f"newton-cholesky: Newton solver {outcome} after {len(history.iterations)} iterations{reason}"
        return history.solution(params, value, gradient, status=Status.CONVERGED if converged else status, message=message)

    def _advise(self, solution: Solution, stop: StoppingRule) -> str:
        return (advise_lbfgs if FELL_BACK in solution.message else advise_newton)(solution, stop)


def fall_back(reason: str, objective: HasHessian, params: Vector, history: History, *, tol: float, max_iter: int) -> Solution:
    """Hand over to L-BFGS, with max_iter iterations left; the history goes on."""
    solution = LBFGS().minimise(objective, params, stop=StoppingRule(tol, max_iter), history=history)
    return replace(solution, message=f"newton-cholesky {reason} {FELL_BACK}: {solution.message}")


def memory_bytes() -> float:
    """Return the memory of this machine, infinity where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return np.inf


def newton_direction(objective: HasHessian, params: Vector, gradient: Vector) -> Vector | None:
    """Return the Newton step at params, or None where the Hessian is singular to working precision."""
    hessian = objective.hessian(params)
    objective.regularise_null_space(hessian)
    diagonal = hessian.diagonal().copy()
    # A parameter without curvature (a column of zeros, unpenalised) has no gradient either: it stays where it is.
    scale = np.where(diagonal > 0, 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1)), 1)
    hessian *= scale
    hessian *= scale[:, None]
    flat = np.flatnonzero(diagonal <= 0)
    hessian[flat, flat] = 1
    norm = np.abs(hessian).sum(axis=0).max()
    # The matrix is symmetric: its transpose is the Fortran-ordered view that LAPACK overwrites without a copy.
    factor, info = lapack.dpotrf(hessian.T, lower=1, overwrite_a=1, clean=0)
    if info != 0:
        return None
    reciprocal_condition, _ = lapack.dpocon(factor, norm, uplo="L")
    if reciprocal_condition < np.finfo(np.float64).eps:
        return None
    step, _ = lapack.dpotrs(factor, -scale * gradient, lower=1)
    return scale * step
