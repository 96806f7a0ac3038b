"""Exact Newton: the whole Hessian, factorised; few iterations, whatever the scale of the columns."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from scipy.linalg import lapack

from ..objectives._contracts import HasHessian, Vector
from ._base import Solver, advise_newton
from ._optimality import NEWTON_SHARE, OptimalityTest
from ._quasi_newton import CONVERGED, NO_LOWER_POINT, Method, Point, Step, Verdict, descend, what_is_left
from ._solution import History, Solution, Status, StoppingRule
from .lbfgs import LBFGS, advise_lbfgs

FELL_BACK = "and fell back"


@dataclass
class NewtonCholesky(Solver[HasHessian]):
    """Newton's method with the Cholesky factor of the whole Hessian and a backtracking line search.

    With p parameters an iteration costs about ``n_rows * p²`` + ``p³ / 3`` operations and ``2 p²`` float64 numbers of
    memory; six to twelve iterations are usual, for badly scaled and correlated columns too, since the Hessian is scaled to a
    unit diagonal before it is factorised.

    Stops when the gradient is within the tolerance and the decrease that the last Newton step predicted within a hundredth
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
        n_bytes = 2 * 8 * objective.n_params**2
        if n_bytes > min(self.max_bytes, memory_bytes()):
            reason = f"would need {n_bytes / 1e9:.2g} GB for the Hessian and its factor"
            return fall_back(reason, objective, start, stop, history)
        try:
            return descend(ExactNewton(objective, stop.gradient_tol), objective, start, stop=stop, history=history)
        except SingularHessianError as error:
            params = error.params
        # L-BFGS needs no Hessian, and where it is singular a Newton step is any of many: without a penalty, along directions in
        # which no row's logits change. Adding a multiple of the identity would choose one of them by the units of the columns.
        # The iteration that failed counts.
        left = replace(stop, max_iter=max(stop.max_iter - len(history.iterations) - 1, 0))
        return fall_back("met a singular Hessian", objective, params, left, history)

    def _advise(self, solution: Solution, stop: StoppingRule) -> str:
        return (advise_lbfgs if FELL_BACK in solution.message else advise_newton)(solution, stop)


class SingularHessianError(ArithmeticError):
    """The Hessian has no Cholesky factor at params."""

    def __init__(self, params: Vector) -> None:
        super().__init__("the Hessian is singular to working precision")
        self.params = params


class ExactNewton(Method):
    """Newton steps, and what they predict of the optimum."""

    label = "newton-cholesky: Newton solver"
    failed = "did not converge"

    def __init__(self, objective: HasHessian, tol: float) -> None:
        super().__init__(objective, tol)
        self._hessians, self._test = objective, OptimalityTest(objective, tol)

    def judges_without_budget(self, point: Point) -> bool:
        return point.n_iter == 0 and point.gradient_norm <= self._tol

    def step(self, point: Point) -> Step:
        direction = newton_direction(self._hessians, point.params, point.gradient)
        if direction is None:
            raise SingularHessianError(point.params)
        slope = float(point.gradient @ direction)
        return Step(direction, slope, predicted_decrease=-slope / 2)

    def before_step(self, point: Point, step: Step, *, has_budget: bool) -> Verdict | None:
        if has_budget:
            return None
        converged = self._converged(point, step, self._objective.value_noise(point.value), is_last=True)
        return CONVERGED if converged else None

    def after_step(self, point: Point, step: Step, noise: float) -> Verdict | None:
        is_last = step.predicted_decrease <= noise
        if self._converged(point, step, noise, is_last=is_last):
            return CONVERGED
        return self._stuck(point, step) if is_last else None

    def without_lower_point(self, point: Point, step: Step) -> Verdict:
        noise = self._objective.value_noise(point.value)
        return CONVERGED if self._converged(point, step, noise, is_last=True) else self._stuck(point, step)

    def _converged(self, point: Point, step: Step, noise: float, *, is_last: bool) -> bool:
        """Return whether a point is the optimum by a step from it or to it; the last one is asked for better evidence."""
        # The decrement of a Newton step is affine invariant, and so is its bound: columns of any scale are tested alike.
        # A step that is predicted to lower the objective by ε leaves of the order of ε² (Boyd & Vandenberghe, section 9.5.3):
        # its prediction serves for the point that it leads to, where no other Hessian is needed.
        left = step.predicted_decrease
        near = left <= noise or (left <= self._tol / NEWTON_SHARE and point.gradient_norm <= self._tol)
        # Where second derivatives may vanish, the next step may predict more than the last one.
        if near and self._hessians.strictly_convex:
            return True
        return (near or is_last) and self._test.holds(point.params, point.value, point.gradient)

    def _stuck(self, point: Point, step: Step) -> Verdict:
        return Verdict(Status.LINE_SEARCH_FAILED, self.remark(point, step) or NO_LOWER_POINT)

    def remark(self, point: Point, step: Step) -> str:
        return what_is_left(
            point, "Newton step", step.predicted_decrease, tol=self._tol, allowed=self._tol / NEWTON_SHARE, left=self._test.left
        )


def fall_back(reason: str, objective: HasHessian, params: Vector, stop: StoppingRule, history: History) -> Solution:
    """Hand over to L-BFGS from params, within what stop leaves; the history goes on."""
    solution = LBFGS().minimise(objective, params, stop=stop, history=history)
    return replace(solution, message=f"newton-cholesky {reason} {FELL_BACK}: {solution.message}")


def memory_bytes() -> float:
    """Return the memory of this machine, infinity where it is unknown."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return np.inf


# One factor an iteration: to keep it for several (Shamanskii's method) was not taken, as making the Hessian costs p / 6 times a
# pass and saves an iteration of quadratic convergence. A damped or trust-region step needs the factor again with a multiple of
# the identity; the line search needs passes alone, and Newton steps of convex losses of this kind are rarely cut.


def newton_direction(objective: HasHessian, params: Vector, gradient: Vector) -> Vector | None:
    """Return the Newton step at params, or None where the Hessian is singular to working precision."""
    # H d = -g by Cholesky, in coordinates in which H has a unit diagonal: of all diagonal scalings none has a condition number
    # less by more than a factor n_params (van der Sluis 1969), so that columns of unlike units do not look like a singular
    # matrix. Newton's method itself does not depend on the scale of the columns: only the factor's rounding does. The softmax's
    # null space, the shifts of all classes, has been given curvature first: g is orthogonal to it, and so is d. LDLᵀ or a
    # pivoted factor, which singular matrices have too, was not taken: where the Hessian is singular a Newton step is not the
    # way, and L-BFGS takes over.
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
    # Zeros above the diagonal (clean) are not needed.
    factor, info = lapack.dpotrf(hessian.T, lower=1, overwrite_a=1, clean=0)
    if info != 0:
        return None
    # A factor may exist by luck of rounding. Of the solution's digits as many are lost as the condition number has: where its
    # estimate (Higham 1988), two triangular solves for each of a few vectors, is above 1 / ε, none is right.
    reciprocal_condition, _ = lapack.dpocon(factor, norm, uplo="L")
    if reciprocal_condition < np.finfo(np.float64).eps:
        return None
    step, _ = lapack.dpotrs(factor, -scale * gradient, lower=1)
    return scale * step
