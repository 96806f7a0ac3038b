"""Truncated Newton: conjugate gradients on Hessian products, for problems whose Hessian is too large to hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..objective import Objective
from ._base import Callback, Solution, Solver, Trace, line_search, max_norm


@dataclass
class NewtonCG(Solver):
    """Truncated Newton with conjugate gradients and a backtracking line search.

    The Newton system is solved to a relative residual of ``min(0.5, sqrt(norm of the gradient))``, which keeps the
    convergence superlinear (Nocedal & Wright, "Numerical Optimization", algorithm 7.1). Each inner iteration is a Hessian
    product, ``6 * n_rows * n_features * n_classes`` operations; memory is a few vectors of the parameters' length.

    Parameters
    ----------
    max_inner : int, default=200
        Most conjugate gradient iterations for one Newton step.
    """

    max_inner: int = 200

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
        converged = max_norm(gradient) <= tol
        reason = ""
        while not converged and len(trace.history) < max_iter and not trace.stopped:
            direction = self._newton_direction(objective, params, gradient)
            slope = float(gradient @ direction)
            found = line_search(objective, params, value, direction, slope)
            if found is not None:
                params, value, gradient = found
                trace.record(params, value, gradient)
            converged = max_norm(gradient) <= tol or -slope / 2 <= objective.rounding(value)
            if found is None and not converged:
                reason = " (the line search found no lower point)"
                break
        outcome = "converged" if converged else "failed to converge"
        message = f"newton-cg {outcome} after {len(trace.history)} iterations{reason}"
        return trace.solution(params, value, gradient, converged=converged, message=message)

    def _newton_direction(
        self, objective: Objective, params: NDArray[np.float64], gradient: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        norm = np.linalg.norm(gradient)
        bound = min(0.5, np.sqrt(norm)) * norm
        direction = np.zeros_like(gradient)
        residual = -gradient
        search = residual
        squared = residual @ residual
        for _ in range(self.max_inner):
            product = objective.hessian_product(params, search)
            curvature = search @ product
            if curvature <= 3 * np.finfo(np.float64).eps * (search @ search):
                # Flat along the search direction: what was gathered so far is a descent direction already.
                break
            step = squared / curvature
            direction = direction + step * search
            residual = residual - step * product
            previous, squared = squared, residual @ residual
            if np.sqrt(squared) <= bound:
                break
            search = residual + (squared / previous) * search
        return direction if direction.any() else -gradient
