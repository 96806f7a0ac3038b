"""Limited-memory BFGS: SciPy's, for problems too large for the Hessian."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from ..objective import Objective
from ._base import Callback, Solution, Solver, Trace


@dataclass
class LBFGS(Solver):
    """Limited-memory BFGS (Byrd, Lu, Nocedal & Zhu 1995), as SciPy has it.

    An iteration costs about one evaluation of loss and gradient: ``4 * n_rows * n_features * n_classes`` operations.
    Memory is ``2 * memory`` vectors of the parameters' length.

    Parameters
    ----------
    memory : int, default=10
        Pairs of steps and gradient changes kept.

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

    def solve(
        self,
        objective: Objective,
        start: NDArray[np.float64],
        *,
        tol: float,
        max_iter: int,
        callback: Callback | None = None,
    ) -> Solution:
        trace = Trace(callback, objective)
        # SciPy tells its callback no gradient; the last point evaluated is the one it accepted.
        latest: list[NDArray[np.float64]] = []

        def evaluate(params: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            value, gradient = objective.value_and_gradient(params)
            latest[:] = [gradient]
            return value, gradient

        def report(intermediate_result) -> None:  # type: ignore[no-untyped-def]  # SciPy looks for this very name
            if trace.record(np.array(intermediate_result.x), float(intermediate_result.fun), latest[0]):
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
                "gtol": tol,
                "ftol": np.finfo(np.float64).eps,
            },
        )
        # SciPy takes one step even of none allowed; it is reported, not counted, as in LogisticRegression.
        n_iter = min(len(trace.history), max_iter)
        stalled = objective.gradient_norm(result.jac) > tol and result.status != 1 and not trace.stopped
        # No lower point was found. It is the optimum if there can be none: if the decrease that the approximate inverse
        # Hessian promises is within the rounding error of the objective.
        promised = 0.5 * float(result.jac @ result.hess_inv.matvec(result.jac)) if stalled else np.inf
        converged = objective.gradient_norm(result.jac) <= tol or promised <= objective.rounding(float(result.fun))
        outcome = "converged" if converged else "failed to converge"
        reason = " (it found no lower point at this precision)" if stalled and not converged else ""
        message = f"lbfgs {outcome} after {n_iter} iterations{reason}"
        solution = trace.solution(result.x, float(result.fun), result.jac, converged=converged, message=message)
        return replace(solution, n_iter=n_iter)
