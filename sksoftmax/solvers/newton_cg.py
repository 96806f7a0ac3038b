"""Truncated Newton: conjugate gradients on Hessian products, for problems whose Hessian is too large to hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..objectives._contracts import HasHessian
from ._base import History, Solution, Solver, Status, StoppingRule, Vector, advise_newton, without_shift
from ._line_search import line_search, observed_noise
from ._proof import Proof

# Relative residual of a Newton step whose promise is taken for what is left to the optimum: the promise is then known to
# its square times the condition of the scaled Hessian, and products in float32 still get there.
EXACT = 1e-3
# What is gone on to, if that takes no more than as many iterations again, of such a step: the last one ends where it says.
POLISHED = 1e-6


@dataclass
class NewtonCG(Solver[HasHessian]):
    """Truncated Newton with conjugate gradients and a backtracking line search.

    The Newton system is solved to a relative residual of ``min(0.5, sqrt(norm of the gradient))``, which keeps the
    convergence superlinear (Nocedal & Wright, "Numerical Optimization", algorithm 7.1). Norms are those of columns divided by
    the root of their curvature, which is the preconditioner too: without it columns of small scale would be missing in both.
    Each inner iteration is a Hessian product, ``6 * n_rows * n_features * n_classes`` operations; memory is a few vectors of
    the parameters' length.

    Stops when the gradient is within the tolerance and the decrease that a Newton step promises within a hundredth of it, or
    when that decrease is below the rounding error of the objective. The slope along a truncated step says little of it:
    where these seem met, the system is solved to a relative residual of 1e-3 at least, and that step is the last one; if
    ``max_inner`` iterations do not get there, the solver ends and does not claim to have converged.

    Parameters
    ----------
    max_inner : int, default=200
        Most conjugate gradient iterations for one Newton step.
    """

    max_inner: int = 200

    requires: ClassVar[tuple[type, ...]] = (HasHessian,)
    benefits_from_rotation: ClassVar[bool] = False

    def minimise(self, objective: HasHessian, start: Vector, *, stop: StoppingRule, history: History) -> Solution:
        tol, max_iter = stop.gradient_tol, stop.max_iter
        proof = Proof(objective, tol)
        params = without_shift(objective, start)
        value, gradient = objective.value_and_gradient(params)
        converged = objective.gradient_norm(gradient) == 0
        reason, near_rounding, status = "", False, Status.MAX_ITER
        unsolved = f" (no Newton step within {self.max_inner} inner iterations)"
        # Where all classes are equally likely, and so the same for each: what is orthogonal to their shifts remains so.
        scale = objective.hessian_diagonal(np.zeros_like(params))
        scale[(scale <= 0) | ~np.isfinite(scale)] = 1
        while not converged and not history.stopped:
            near = near_rounding or objective.gradient_norm(gradient) <= tol
            may_step = len(history.iterations) < max_iter
            if not may_step and not near:
                break
            direction, solved = self._newton_direction(objective, params, gradient, scale, exactly=near)
            slope = float(gradient @ direction)
            gap = -slope / 2
            rounding = objective.value_noise(value)
            small = objective.gradient_norm(gradient) <= tol
            if near and solved and (gap <= rounding or (gap <= tol / 100 and small)):
                # Where second derivatives may vanish, the next step may promise more than this one.
                converged = objective.strictly_convex or proof.holds(params, value, gradient)
            elif small and not solved:
                converged = proof.holds(params, value, gradient)
            if converged:
                if may_step and solved and history.iterations:
                    # Solved for already: it brings fits that rounding has parted nearer to each other and to the optimum.
                    last = line_search(objective, params, value, direction, slope)
                    if last is not None and last[1] <= value + rounding:
                        params, value, gradient = last
                        history.record(params, value, gradient)
                break
            if not may_step:
                if objective.gradient_norm(gradient) <= tol:
                    left = f" (the Newton step promised to lower the objective by {gap:.1g} nats, more than {tol / 100:.1g})"
                    reason = left if solved else unsolved
                break
            found = line_search(objective, params, value, direction, slope)
            if found is None:
                converged = proof.holds(params, value, gradient)
                reason, status = "" if converged else " (the line search found no lower point)", Status.LINE_SEARCH_FAILED
                break
            rounding = max(rounding, observed_noise(objective, value, found[1], found[2], found[0] - params))
            params, value, gradient = found
            history.record(params, value, gradient)
            if gap <= rounding and near:
                converged = (solved and objective.strictly_convex) or proof.holds(params, value, gradient)
                reason, status = "" if converged else unsolved, Status.NEWTON_STEP_UNSOLVED
                break
            near_rounding = gap <= rounding
        outcome = "converged" if converged else "failed to converge"
        message = f"newton-cg {outcome} after {len(history.iterations)} iterations{reason}"
        return history.solution(params, value, gradient, status=Status.CONVERGED if converged else status, message=message)

    def _advise(self, solution: Solution, stop: StoppingRule) -> str:
        return advise_newton(solution, stop)

    def _newton_direction(
        self,
        objective: HasHessian,
        params: Vector,
        gradient: Vector,
        scale: Vector,
        *,
        exactly: bool,
    ) -> tuple[Vector, bool]:
        """Return a step of plan, and whether it solves the Newton system as asked."""
        direction = np.zeros_like(gradient)
        # Along shifts of all classes there is no curvature but the penalty's, lost beside that of large columns: what rounding
        # leaves there must neither be solved for nor gather in the step.
        residual = -without_shift(objective, gradient)
        search = residual / scale
        squared = float(residual @ search)
        bound = (EXACT**2 if exactly else min(0.25, np.sqrt(squared))) * squared
        enough = POLISHED**2 * squared if exactly else bound
        solved, last = False, self.max_inner
        for n_inner in range(1, self.max_inner + 1):
            product = objective.hessian_product(params, search)
            curvature = float(search @ product)
            if curvature <= 3 * np.finfo(np.float64).eps * float(search @ (scale * search)):
                # Flat along the search direction: what was gathered so far is a descent direction already.
                break
            step = squared / curvature
            direction += step * search
            residual -= step * product
            product = residual / scale
            previous, squared = squared, float(residual @ product)
            if squared <= bound and not solved:
                solved, last = True, min(2 * n_inner, self.max_inner)
            if squared <= enough or (solved and n_inner >= last):
                break
            search = product + (squared / previous) * search
        objective.project_out_shift(direction)
        return (direction, solved) if direction.any() else (-gradient / scale, False)
