"""Limited-memory BFGS: SciPy's, for problems too large for the Hessian."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from scipy.optimize import OptimizeResult, minimize

from ..objectives._contracts import Differentiable, Vector
from ._base import COLUMNS, Solver
from ._optimality import OptimalityTest
from ._solution import History, Solution, Status, StoppingRule


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
        run = Run(objective, start, stop, history)
        if run.starts_at_the_optimum:
            return run.solution_at(start.copy())
        result = minimize(
            run.evaluate,
            start,
            method="L-BFGS-B",
            jac=True,
            callback=run.report,
            options={
                "maxiter": stop.max_iter,
                "maxfun": np.iinfo(np.int32).max,
                "maxcor": self.memory,
                "maxls": 50,
                "gtol": 0.0,  # run.report says when to stop
                "ftol": np.finfo(np.float64).eps,
            },
        )
        return run.solution(result)

    def _advise(self, solution: Solution, stop: StoppingRule) -> str:
        return advise_lbfgs(solution, stop)


class Run:
    """One run of SciPy's solver: what it evaluates, what it reports, and how its end is read.

    Parameters
    ----------
    objective : Differentiable
    start : ndarray of shape (n_params,), float64
    stop : StoppingRule
    history : History
        May hold iterations of a solver that this one takes over from.
    """

    # Of SciPy's two rules that of the gradient is off: a small one is tested here, with the other evidence of the optimum. That
    # of the relative change of the objective is at the precision of float64: a short iteration is no sign of the optimum, and
    # below that precision there is nothing left to find. Its line search is that of Moré & Thuente (1994), which asks for the
    # condition of Wolfe and so may lengthen steps: without a model of the curvature the right length is not 1.
    #
    # L-BFGS-B without bounds is plain L-BFGS with H₀ = (sᵀy / yᵀy) I. SciPy's code was taken as it is what LogisticRegression
    # has: iterations, and where they end, can be compared. ``block_lbfgs`` is the one with another H₀.

    def __init__(self, objective: Differentiable, start: Vector, stop: StoppingRule, history: History) -> None:
        self._objective, self._stop, self._history = objective, stop, history
        self._n_before, self._check_at = len(history.iterations), 0
        self._test, self._converged = OptimalityTest(objective, stop.gradient_tol), False
        # Popped when SciPy asks for it: a vector of many features times classes is not kept.
        self._at_start = [objective.value_and_gradient(start)]
        self.starts_at_the_optimum = self._is_small(self._at_start[0][1]) and self._test.holds(start, *self._at_start[0])

    def _is_small(self, gradient: Vector) -> bool:
        return self._objective.gradient_norm(gradient) <= self._stop.gradient_tol

    def evaluate(self, params: Vector) -> tuple[float, Vector]:
        """Return value and gradient at params."""
        value, gradient = self._at_start.pop() if self._at_start else self._objective.value_and_gradient(params)
        # SciPy gives its callback no gradient; the last point evaluated is the one that it accepts.
        self._latest_gradient = gradient
        return value, gradient

    def report(self, intermediate_result) -> None:  # type: ignore[no-untyped-def]  # SciPy looks for this very name
        """Record an iteration; raise StopIteration to end."""
        params, value = np.array(intermediate_result.x), float(intermediate_result.fun)
        gradient = self._latest_gradient
        stopped = self._history.record(params, value, gradient)
        n_iter = self._n_iter
        if self._is_small(gradient) and (n_iter >= min(self._check_at, self._stop.max_iter) or stopped):
            # The test costs several passes, of which blocks are worth dozens of iterations where columns are many. After n
            # iterations the next test is n / 8 later: n iterations have about 8 log n tests, and a fit goes on for at most an
            # eighth longer than it has to. A fixed interval would test slow fits hundreds of times.
            self._converged, self._check_at = self._test.holds(params, value, gradient), n_iter + max(1, n_iter // 8)
        if stopped or self._converged:
            raise StopIteration

    @property
    def _n_iter(self) -> int:
        return len(self._history.iterations) - self._n_before

    def solution_at(self, start: Vector) -> Solution:
        """Return the start as the solution."""
        message = "lbfgs converged after 0 iterations"
        return self._history.solution(start, *self._at_start[0], status=Status.CONVERGED, message=message)

    def solution(self, result: OptimizeResult) -> Solution:
        """Return the solution that SciPy's result is."""
        # SciPy takes one step even of none allowed; it is reported, not counted, as in LogisticRegression.
        n_iter = min(self._n_iter, self._stop.max_iter)
        value, is_small = float(result.fun), self._is_small(result.jac)
        stalled = result.status != 1 and not self._history.stopped and not self._converged
        if stalled:
            # No lower point was found. It is the optimum if there can be none: if the decrease that the approximate inverse
            # Hessian predicts is within the rounding error of the objective.
            predicted_decrease = 0.5 * float(result.jac @ result.hess_inv.matvec(result.jac))
            is_noise = predicted_decrease <= self._objective.value_noise(value)
            self._converged = self._test.holds(result.x, value, result.jac) or (is_small and is_noise)
        status, reason = Status.LINE_SEARCH_FAILED if stalled else Status.MAX_ITER, ""
        if self._converged:
            status = Status.CONVERGED
        elif is_small:
            reason = f" (the gradient is small, but the objective may be {self._test.left:.1g} nats above its minimum)"
        elif stalled:
            reason = " (it found no lower point at this precision)"
        message = f"lbfgs {'converged' if self._converged else 'failed to converge'} after {n_iter} iterations{reason}"
        solution = self._history.solution(result.x, value, result.jac, status=status, message=message)
        return replace(solution, n_iter=self._n_before + n_iter)


def advise_lbfgs(solution: Solution, stop: StoppingRule) -> str:
    """Return what helps a solver that columns of unlike scales slow down."""
    more = f"Increase the number of iterations (max_iter={stop.max_iter}), or scale"
    first = more if solution.n_iter >= stop.max_iter else "Scale"
    return f"{first} {COLUMNS}, or use solver='auto', which needs neither."
