"""Truncated Newton: conjugate gradients on Hessian products, for problems whose Hessian is too large to hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..objectives._contracts import HasHessian, Vector
from ._base import Solver, advise_newton, without_shift
from ._conjugate_gradients import conjugate_gradients, diagonal_scale
from ._optimality import NEWTON_SHARE, OptimalityTest
from ._quasi_newton import CONVERGED, NO_LOWER_POINT, Method, Point, Step, Verdict, descend, what_is_left
from ._solution import History, Solution, Status, StoppingRule

# Relative residual of a Newton step whose predicted decrease is taken for what is left to the optimum: it is then known to the
# square of that times the condition of the scaled Hessian, and products in float32 still get there.
EXACT = 1e-3
# Relative residual that such a step goes on to if no more than as many iterations again take it there: it may be the last one.
POLISHED = 1e-6


@dataclass
class NewtonCG(Solver[HasHessian]):
    """Truncated Newton with conjugate gradients and a backtracking line search.

    The Newton system is solved to a relative residual of ``min(0.5, sqrt(norm of the gradient))``, for which the
    convergence is superlinear (Nocedal & Wright, "Numerical Optimization", algorithm 7.1). Norms are those of columns divided
    by the root of their curvature, which is the preconditioner too: columns of small scale would count for nothing in others.
    Each inner iteration is a Hessian product, ``6 * n_rows * n_features * n_classes`` operations; memory is a few vectors of
    the parameters' length.

    Stops when the gradient is within the tolerance and the decrease that a Newton step predicts within a hundredth of it, or
    when that decrease is below the rounding error of the objective. The slope along a truncated step is only a lower bound:
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
        method = TruncatedNewton(objective, stop.gradient_tol, self.max_inner)
        return descend(method, objective, start, stop=stop, history=history)

    def _advise(self, solution: Solution, stop: StoppingRule) -> str:
        return advise_newton(solution, stop)


class TruncatedNewton(Method):
    """Newton steps by conjugate gradients, exact ones where the optimum seems near.

    Parameters
    ----------
    objective, tol
        As ``Method`` has them.
    max_inner : int
    """

    label = "newton-cg"

    def __init__(self, objective: HasHessian, tol: float, max_inner: int) -> None:
        super().__init__(objective, tol)
        self._hessians, self._max_inner, self._test = objective, max_inner, OptimalityTest(objective, tol)
        # Where all classes are equally likely, and so the same for each: what is orthogonal to their shifts remains so.
        self._scale = diagonal_scale(objective.hessian_diagonal(np.zeros(objective.n_params)))
        self._predicted_noise = self._nearly_converged = False

    def judges_without_budget(self, point: Point) -> bool:
        return self._is_near(point)

    def _is_near(self, point: Point) -> bool:
        """Return whether the optimum seems reached: the gradient is small, or the last step predicted less than noise."""
        return self._predicted_noise or point.gradient_norm <= self._tol

    def step(self, point: Point) -> Step:
        self._nearly_converged = self._is_near(point)
        direction, solved = self._newton_direction(point.params, point.gradient, exactly=self._nearly_converged)
        slope = float(point.gradient @ direction)
        return Step(direction, slope, predicted_decrease=-slope / 2, is_newton=solved)

    def before_step(self, point: Point, step: Step, *, has_budget: bool) -> Verdict | None:
        left, small = step.predicted_decrease, point.gradient_norm <= self._tol
        is_little = left <= self._objective.value_noise(point.value) or (left <= self._tol / NEWTON_SHARE and small)
        if self._nearly_converged and step.is_newton and is_little:
            # Where second derivatives may vanish, the next step may predict more than this one.
            return CONVERGED if self._hessians.strictly_convex or self._is_optimal(point) else None
        return CONVERGED if small and not step.is_newton and self._is_optimal(point) else None

    def after_step(self, point: Point, step: Step, noise: float) -> Verdict | None:
        self._predicted_noise = step.predicted_decrease <= noise
        if not (self._predicted_noise and self._nearly_converged):
            return None
        if (step.is_newton and self._hessians.strictly_convex) or self._is_optimal(point):
            return CONVERGED
        return Verdict(Status.NEWTON_STEP_UNSOLVED, self._unsolved)

    def without_lower_point(self, point: Point, step: Step) -> Verdict:
        return CONVERGED if self._is_optimal(point) else Verdict(Status.LINE_SEARCH_FAILED, NO_LOWER_POINT)

    def remark(self, point: Point, step: Step) -> str:
        if point.gradient_norm <= self._tol and not step.is_newton:
            return self._unsolved
        return what_is_left(
            point, "Newton step", step.predicted_decrease, tol=self._tol, allowed=self._tol / NEWTON_SHARE, left=self._test.left
        )

    @property
    def _unsolved(self) -> str:
        return f" (no Newton step within {self._max_inner} inner iterations)"

    def _is_optimal(self, point: Point) -> bool:
        return self._test.holds(point.params, point.value, point.gradient)

    def _newton_direction(self, params: Vector, gradient: Vector, *, exactly: bool) -> tuple[Vector, bool]:
        """Return a direction of descent, and whether it solves the Newton system as exactly as asked."""
        objective, scale = self._hessians, self._scale
        # Along shifts of all classes there is no curvature but the penalty's, lost beside that of large columns: what rounding
        # leaves there must neither be solved for nor gather in the step.
        residual = -without_shift(objective, gradient)
        squared = float(residual @ (residual / scale))
        # d is taken where ‖H d + g‖ ≤ η ‖g‖, with the forcing term η = min(½, √‖g‖) of Dembo, Eisenstat & Steihaug (1982), as
        # Nocedal & Wright have it in algorithm 7.1: η → 0 makes the convergence superlinear, of order 3/2. η = min(½, ‖g‖), of
        # order 2, was not taken: its additional products solve for a step whose model has an error of the order ‖d‖² itself.
        # Nor was the test of Nash & Sofer (1990), which stops where the model falls little by an iteration: columns that
        # converge late are then left out. Norms are √(rᵀM⁻¹r), M = diag(scale); the squares are compared, so that min(½, √‖g‖)²
        # is min(¼, ‖g‖).
        #
        # Asked for exactly, the step is the evidence that the optimum is reached: -½ gᵀd is below ½ gᵀH⁻¹g by ½ rᵀH⁻¹r, a
        # share of at most κ (‖r‖ / ‖g‖)² with κ the condition of M⁻¹H. As this step may be the last one, it goes on to
        # POLISHED if that is near.
        #
        # The class blocks would be the better preconditioner, at block_size² numbers a class: memory is a few vectors here, and
        # block L-BFGS takes them.
        bound = (EXACT**2 if exactly else min(0.25, np.sqrt(squared))) * squared
        enough = POLISHED**2 * squared if exactly else bound
        iterates = conjugate_gradients(lambda vector: objective.hessian_product(params, vector), residual, scale)
        direction, solved, last = None, False, self._max_inner
        for n_inner, iterate in zip(range(1, self._max_inner + 1), iterates, strict=False):
            direction = iterate.solution
            if iterate.residual_norm <= bound and not solved:
                solved, last = True, min(2 * n_inner, self._max_inner)
            if iterate.residual_norm <= enough or (solved and n_inner >= last):
                break
        if direction is not None:
            objective.project_out_shift(direction)
        return (direction, solved) if direction is not None and direction.any() else (-gradient / scale, False)
