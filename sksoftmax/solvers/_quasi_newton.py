r"""The loop of the solvers that step by a model of the Hessian.

What lives here: ``descend``, which steps from point to point until a rule says that this is the optimum, and the contract of
what a solver brings to it. What doesn't: directions and rules (``newton_cholesky``, ``newton_cg``, ``block_lbfgs``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import numpy as np

from ..objectives._contracts import Objective, Vector
from ._base import without_shift
from ._line_search import line_search, observed_noise
from ._solution import History, Solution, Status, StoppingRule


class Point(NamedTuple):
    """Where a solve has got to.

    Attributes
    ----------
    params, gradient : ndarray of shape (n_params,), float64
    value, gradient_norm : float
    n_iter : int
        Iterations that lead there.
    """

    params: Vector
    value: float
    gradient: Vector
    gradient_norm: float
    n_iter: int


class Step(NamedTuple):
    """A step that a method proposes from a point.

    Attributes
    ----------
    direction : ndarray of shape (n_params,), float64
    slope : float
        Derivative of the objective along direction, negative.
    predicted_decrease : float
        What the method's model says that the objective is above its minimum by, in nats.
    max_length : float
        The share of direction, at most one, over which the model may be trusted.
    is_newton : bool
        Whether it solves the Newton system as exactly as was asked.
    """

    direction: Vector
    slope: float
    predicted_decrease: float
    max_length: float = 1.0
    is_newton: bool = False


class Verdict(NamedTuple):
    """That a solve ends, and why."""

    status: Status
    reason: str = ""


CONVERGED = Verdict(Status.CONVERGED)
NO_LOWER_POINT = " (the line search found no lower point)"


class Method(ABC):
    """What a solver brings to one solve: its directions, and the rule by which it takes a point for the optimum.

    Parameters
    ----------
    objective : Objective
    tol : float

    Attributes
    ----------
    label, failed : str
        What messages call the solver, and that it has not converged.
    """

    label: ClassVar[str]
    failed: ClassVar[str] = "failed to converge"

    def __init__(self, objective: Objective, tol: float) -> None:
        self._objective, self._tol = objective, tol

    @abstractmethod
    def step(self, point: Point) -> Step:
        """Return the step from a point."""

    def judges_without_budget(self, point: Point) -> bool:
        """Return whether a point that no iteration is left to move from is worth a step, to judge it."""
        return False

    def before_step(self, point: Point, step: Step, *, has_budget: bool) -> Verdict | None:
        """Return whether to end at a point, whose step is known and not taken."""
        return None

    def after_step(self, point: Point, step: Step, noise: float) -> Verdict | None:
        """Return whether to end at a point that was reached by step, where values have this noise."""
        return None

    @abstractmethod
    def without_lower_point(self, point: Point, step: Step) -> Verdict:
        """Return how to end at a point from which the line search found no lower one along step."""

    def remark(self, point: Point, step: Step) -> str:
        """Return what the message says of a point that was not found to be the optimum, the last step being known."""
        return ""

    def update(self, previous: Point, accepted: Point) -> None:
        """Update the model by a step that was taken; most methods have nothing to update."""
        return None


def descend(method: Method, objective: Objective, start: Vector, *, stop: StoppingRule, history: History) -> Solution:
    """Minimise the objective from start by the steps of a method.

    Parameters
    ----------
    method : Method
    objective : Objective
    start : ndarray of shape (n_params,), float64
    stop : StoppingRule
    history : History
        Empty.
    """
    # x ← x + t d, with d the method's direction and t from backtracking: 1 wherever it lowers the objective enough, so that the
    # convergence of the direction's own method, quadratic or superlinear, is kept near the optimum (Nocedal & Wright,
    # "Numerical Optimization", theorems 3.5 to 3.7). A trust region was not taken: the models are positive definite, and
    # a factor or a preconditioner would be made anew for each radius.
    #
    # Vectors are made in functions of their own, so that none outlives its use: it is as long as all coefficients.
    #
    # A value says nothing of differences below its noise: the rounding error that is known beforehand, and at a step what it
    # is seen to be where a convex function rises faster than it can. Where a step is predicted to lower the value by less, no
    # later one can be found to be better by its value, and the method decides by other evidence.
    point = starting_point(objective, start)
    verdict, step = CONVERGED if point.gradient_norm == 0 else None, None
    while verdict is None and not history.stopped:
        has_budget = point.n_iter < stop.max_iter
        if not has_budget and not method.judges_without_budget(point):
            break
        step = method.step(point)
        verdict = method.before_step(point, step, has_budget=has_budget)
        if not has_budget:
            break
        if verdict is not None:
            if verdict is CONVERGED and step.is_newton and point.n_iter:
                point = polished(objective, point, step, history)
            break
        accepted = take(objective, point, step)
        if accepted is None:
            verdict = method.without_lower_point(point, step)
            break
        noise = max(objective.value_noise(point.value), noise_between(objective, point, accepted))
        method.update(point, accepted)
        point = recorded(accepted, history)
        verdict = method.after_step(point, step, noise)
    if verdict is None:
        verdict = Verdict(Status.MAX_ITER, "" if step is None else method.remark(point, step))
    outcome = "converged" if verdict is CONVERGED else method.failed
    message = f"{method.label} {outcome} after {point.n_iter} iterations{verdict.reason}"
    return history.solution(point.params, point.value, point.gradient, status=verdict.status, message=message)


def starting_point(objective: Objective, start: Vector) -> Point:
    """Return start, without what no step would change, as a point."""
    params = without_shift(objective, start)
    value, gradient = objective.value_and_gradient(params)
    return Point(params, value, gradient, objective.gradient_norm(gradient), 0)


def take(objective: Objective, point: Point, step: Step) -> Point | None:
    """Return the point that the line search accepts along step, its gradient norm unknown, or None."""
    direction, slope = step.direction, step.slope
    if step.max_length < 1:
        direction, slope = step.max_length * direction, step.max_length * slope
    found = line_search(objective, point.params, point.value, direction, slope)
    return None if found is None else Point(*found, gradient_norm=np.nan, n_iter=point.n_iter + 1)


def noise_between(objective: Objective, point: Point, accepted: Point) -> float:
    """Return the noise of values that a step shows."""
    step = accepted.params - point.params
    return observed_noise(objective, point.value, accepted.value, accepted.gradient, step)


def recorded(point: Point, history: History) -> Point:
    """Record a point and return it with its gradient norm."""
    history.record(point.params, point.value, point.gradient)
    return point._replace(gradient_norm=history.iterations[-1].gradient_norm)


# A method that has found by a Newton step that the optimum is near has this step at hand, and taking it costs one pass. From a
# predicted decrease ε it leaves of the order of ε²: fits of dense and sparse rows, or on other numbers of threads of BLAS,
# whose iterates rounding has parted, then agree to many more digits than the tolerance asks for.


def polished(objective: Objective, point: Point, step: Step, history: History) -> Point:
    """Return the optimum after the Newton step from it, which is known already, unless that rises by more than noise.

    It brings fits that rounding has parted nearer to each other and to the optimum.
    """
    last = take(objective, point, step)
    if last is None or last.value > point.value + objective.value_noise(point.value):
        return point
    return recorded(last, history)


def what_is_left(
    point: Point, step: str, predicted_decrease: float, *, tol: float, allowed: float, left: float = np.inf
) -> str:
    """Return what a message says of a point whose gradient is small and which was not found to be the optimum.

    Parameters
    ----------
    point : Point
    step : str
        What the step is called.
    predicted_decrease : float
        By that step.
    tol : float
        Bound on the gradient.
    allowed : float
        Bound on the predicted decrease.
    left : float
        What is left by other evidence, in nats; inf if that was not asked for.
    """
    if point.gradient_norm > tol or not np.isfinite(predicted_decrease):
        return ""
    if predicted_decrease > allowed:
        return f" (the {step} was predicted to lower the objective by {predicted_decrease:.1g} nats, more than {allowed:.1g})"
    return "" if np.isinf(left) else f" (the gradient is small, but the objective may be {left:.1g} nats above its minimum)"
