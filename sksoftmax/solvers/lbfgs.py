"""Limited-memory BFGS: SciPy's, for problems too large for the Hessian."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from scipy.optimize import minimize

from ..objectives._contracts import Differentiable
from ._base import COLUMNS, History, Solution, Solver, Status, StoppingRule, Vector
from ._optimality import OptimalityTest


@dataclass
class LBFGS(Solver[Differentiable]):
    """Limited-memory BFGS (Byrd, Lu, Nocedal & Zhu 1995), as SciPy has it.

    An iteration costs about one evaluation of loss and gradient: ``4 * n_rows * n_features * n_classes`` operations.
    Memory is ``2 * memory`` vectors of the parameters' length.

    Stops when the gradient is within the tolerance and the duality gap within ``tol`` of the objective, or, where there is none
    or it is loose, the decrease that class blocks of the Hessian predict within ``tol / 5000`` nats. On scaled columns that is
    usually where the gradient is small, and where LogisticRegression stops; on raw ones it goes on, or ends and says so.

    Parameters
    ----------
    memory : int, default=10
        Corrections kept: a step and the change of the gradient along it each.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.solvers import LBFGS
    >>> X, y = load_iris(return_X_y=True)
    >>> SoftmaxRegressionClassifier(solver=LBFGS(memory=20)).fit(X, y).converged_
    True
    """

    memory: int = 10

    requires: ClassVar[tuple[type, ...]] = (Differentiable,)

    benefits_from_rotation: ClassVar[bool] = False

    def minimise(self, objective: Differentiable, start: Vector, *, stop: StoppingRule, history: History) -> Solution:
        tol, max_iter, n_before = stop.gradient_tol, stop.max_iter, len(history.iterations)
        test = OptimalityTest(objective, tol)
        # Popped when SciPy asks for it: a vector of many features times classes is not kept.
        first = [objective.value_and_gradient(start)]
        if objective.gradient_norm(first[0][1]) <= tol and test.holds(start, *first[0]):
            message = "lbfgs converged after 0 iterations"
            return history.solution(start.copy(), *first[0], status=Status.CONVERGED, message=message)
        # SciPy tells its callback no gradient; the last point evaluated is the one it accepted.
        latest: list[Vector] = []
        converged, check_at = False, 0

        def evaluate(params: Vector) -> tuple[float, Vector]:
            value, gradient = first.pop() if first else objective.value_and_gradient(params)
            latest[:] = [gradient]
            return value, gradient

        def report(intermediate_result) -> None:  # type: ignore[no-untyped-def]  # SciPy looks for this very name
            nonlocal converged, check_at
            params, value, gradient = np.array(intermediate_result.x), float(intermediate_result.fun), latest[0]
            stopped = history.record(params, value, gradient)
            n_iter = len(history.iterations) - n_before
            if objective.gradient_norm(gradient) <= tol and (n_iter >= min(check_at, max_iter) or stopped):
                # What is asked costs several passes: the more iterations were made, the more rarely.
                converged, check_at = test.holds(params, value, gradient), n_iter + max(1, n_iter // 8)
            if stopped or converged:
                raise StopIteration

        result = minimize(
            evaluate,
            start,
            method="L-BFGS-B",
            jac=True,
            callback=report,
            options={
                "maxiter": max_iter,
                "maxfun": np.iinfo(np.int32).max,
                "maxcor": self.memory,
                "maxls": 50,
                "gtol": 0.0,  # the callback says when to stop
                "ftol": np.finfo(np.float64).eps,
            },
        )
        # SciPy takes one step even of none allowed; it is reported, not counted, as in LogisticRegression.
        n_iter = min(len(history.iterations) - n_before, max_iter)
        value, small = float(result.fun), objective.gradient_norm(result.jac) <= tol
        stalled = result.status != 1 and not history.stopped and not converged
        if stalled:
            # No lower point was found. It is the optimum if there can be none: if the decrease that the approximate inverse
            # Hessian promises is within the rounding error of the objective.
            promised = 0.5 * float(result.jac @ result.hess_inv.matvec(result.jac))
            converged = test.holds(result.x, value, result.jac) or (small and promised <= objective.value_noise(value))
        outcome = "converged" if converged else "failed to converge"
        reason = " (it found no lower point at this precision)" if stalled else ""
        if small:
            reason = f" (the gradient is small, but the objective may be {test.left:.1g} nats above its minimum)"
        reason = "" if converged else reason
        message = f"lbfgs {outcome} after {n_iter} iterations{reason}"
        status = Status.CONVERGED if converged else Status.LINE_SEARCH_FAILED if stalled else Status.MAX_ITER
        solution = history.solution(result.x, value, result.jac, status=status, message=message)
        return replace(solution, n_iter=n_before + n_iter)

    def _advise(self, solution: Solution, stop: StoppingRule) -> str:
        return advise_lbfgs(solution, stop)


def advise_lbfgs(solution: Solution, stop: StoppingRule) -> str:
    """Return what helps a solver that columns of unlike scales slow down."""
    more = f"Increase the number of iterations (max_iter={stop.max_iter}), or scale"
    first = more if solution.n_iter >= stop.max_iter else "Scale"
    return f"{first} {COLUMNS}, or use solver='auto', which needs neither."
