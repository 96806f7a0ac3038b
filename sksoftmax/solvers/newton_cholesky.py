"""Exact Newton: the whole Hessian, factorised; few iterations, whatever the scale of the columns."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from ..objective import Objective
from ._base import Callback, Solution, Solver, Trace, line_search, max_norm
from .lbfgs import LBFGS


@dataclass
class NewtonCholesky(Solver):
    """Newton's method with the Cholesky factor of the whole Hessian and a backtracking line search.

    With p parameters an iteration costs about ``n_rows * p²`` + ``p³ / 3`` operations and ``2 p²`` float64 numbers of
    memory; six to twelve iterations are usual, for badly scaled and correlated columns too, since the Hessian is scaled to a
    unit diagonal before it is factorised.

    Stops when the gradient is within the tolerance and the decrease that the last Newton step promised within a hundredth
    of it (what is left is of the order of that decrease squared), or when that decrease is below the rounding error of the
    objective. Where the Hessian is singular, L-BFGS takes over from the point reached.

    References
    ----------
    Boyd & Vandenberghe (2004), "Convex Optimization", section 9.5.
    """

    def solve(
        self,
        objective: Objective,
        start: NDArray[np.float64],
        *,
        tol: float,
        max_iter: int,
        callback: Callback | None = None,
    ) -> Solution:
        trace = Trace(callback)
        params = start.copy()
        value, gradient = objective.value_and_gradient(params)
        converged = max_norm(gradient) == 0
        reason, gap = "", np.inf
        while not converged and len(trace.history) < max_iter and not trace.stopped:
            direction = newton_direction(objective, params, gradient)
            if direction is None:
                return self._fall_back(objective, params, trace, tol=tol, max_iter=max_iter, callback=callback)
            slope = float(gradient @ direction)
            gap = -slope / 2  # to the optimum of the quadratic model
            found = line_search(objective, params, value, direction, slope)
            if found is not None:
                params, value, gradient = found
                trace.record(params, value, gradient)
            converged = gap <= objective.rounding(value) or (max_norm(gradient) <= tol and gap <= tol / 100)
            if found is None and not converged:
                reason = " (the line search found no lower point)"
                break
        if not converged and max_norm(gradient) <= tol:
            reason = f" (the last step promised to lower the objective by {gap:.1g} nats, more than {tol / 100:.1g})"
        outcome = "converged" if converged else "did not converge"
        message = f"newton-cholesky: Newton solver {outcome} after {len(trace.history)} iterations{reason}"
        return trace.solution(params, value, gradient, converged=converged, message=message)

    @staticmethod
    def _fall_back(
        objective: Objective,
        params: NDArray[np.float64],
        trace: Trace,
        *,
        tol: float,
        max_iter: int,
        callback: Callback | None,
    ) -> Solution:
        """Hand over to L-BFGS with the iterations that are left after the one that failed."""
        done = tuple(trace.history)
        left = max_iter - len(done) - 1
        solution = LBFGS().solve(objective, params, tol=tol, max_iter=left, callback=callback)
        message = f"newton-cholesky met a singular Hessian and fell back: {solution.message}"
        return replace(solution, n_iter=solution.n_iter + len(done), history=done + solution.history, message=message)


def newton_direction(
    objective: Objective, params: NDArray[np.float64], gradient: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Return the Newton step at params, or None where the Hessian is singular to working precision."""
    hessian = objective.hessian(params)
    objective.fix_gauge(hessian)
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
