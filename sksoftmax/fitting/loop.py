"""The course of a fit: its history, its best parameters, when to stop and what to keep.

What lives here: ``FitLoop``, which runs a solver and is its callback. What doesn't: the scores of a validation set
(``validation``), scikit-learn's callbacks and printed lines (``callbacks``).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..objectives.linear import LinearObjective
from ..solvers import Iteration, Solution, Solver, Status, StoppingRule
from .callbacks import FitProgress
from .validation import ValidationSet

Params = NDArray[np.float64]


class Best(NamedTuple):
    """The best point of a fit so far.

    Attributes
    ----------
    n_iter : int
        Iterations that lead there; 0 is the start.
    criterion : float
        Smaller is better.
    params : ndarray of shape (n_params,), float64
    """

    n_iter: int
    criterion: float
    params: Params


class Outcome(NamedTuple):
    """How a fit ended.

    Attributes
    ----------
    solution : Solution
    best_iteration : int or None
        The iteration that early stopping kept; None without it.
    interrupt : KeyboardInterrupt or None
        What ended it, to be raised when all is kept.
    """

    solution: Solution
    best_iteration: int | None = None
    interrupt: KeyboardInterrupt | None = None


class FitLoop:
    """Runs a solver, notes the scores of the validation set in the history, and keeps the best point.

    With early stopping the best point is the one of the lowest validation cross-entropy, the start included, and the fit ends
    when the lowest of ``n_iter_no_change`` iterations is not lower by ``tol`` than the lowest before them. Without, the solver
    says where the fit ends, and the best point, of the lowest objective, is kept of a fit that is interrupted.

    Parameters
    ----------
    objective : LinearObjective
    validation : ValidationSet or None
    progress : FitProgress
        Called where an iteration begins and ends, with the parameters and the iteration's full record.
    stop : StoppingRule
    early_stopping : bool

    Attributes
    ----------
    history : list of Iteration
    best : Best or None
    """

    def __init__(
        self,
        objective: LinearObjective,
        validation: ValidationSet | None,
        progress: FitProgress,
        *,
        stop: StoppingRule,
        early_stopping: bool,
    ) -> None:
        self._objective = objective
        self._validation = validation
        self._progress = progress
        self._early_stopping = early_stopping
        self._stop = stop
        self._lowest: list[float] = []  # criterion until each iteration
        self.history: list[Iteration] = []
        self.best: Best | None = None

    def run(self, solver: Solver[Any], start: Params) -> Outcome:
        """Solve from start, and report each iteration; an interrupt after the first one ends it with the best of them.

        Raises
        ------
        KeyboardInterrupt
            Before the end of the first iteration, when there is nothing to keep.
        """
        self._progress.on_iteration_begin(start)
        interrupt = None
        try:
            solution = self.solve(solver, start)
            if not self._early_stopping and self._objective.has_no_minimum(solution.params):
                message = f"{solution.message}; the classes are separable, and without a penalty there is no minimum"
                solution = replace(solution, status=Status.SEPARABLE, message=message)
        except KeyboardInterrupt as raised:
            if not self.history or self.best is None:
                raise
            interrupt, solution = raised, self.interrupted()
        self._progress.close()
        return Outcome(solution, self.best.n_iter if self._early_stopping and self.best else None, interrupt)

    def solve(self, solver: Solver[Any], start: Params) -> Solution:
        """Return the solution to keep; its status says whether the fit ended as intended."""
        if self._early_stopping and self._validation is not None:
            self._note(0, self._validation.evaluate(*self._objective.unpack(start)).cross_entropy, start)
        solution = solver.solve(self._objective, start, stop=self._stop, observer=self._follow)
        status, message = solution.status, solution.message
        if self._early_stopping and status is not Status.CONVERGED:
            if self._is_stalled():
                status, message = Status.EARLY_STOPPED, self._stopped_early(solution.n_iter)
            elif not status.as_intended and len(self.history) < self._stop.max_iter:
                status = Status.EARLY_STOPPED  # the solver found no way on before the validation set said to stop: no failure
        solution = replace(solution, status=status, message=message, history=tuple(self.history))
        if not self._early_stopping or self.best is None or self.best.n_iter == len(self.history):
            return solution
        # Of a fit that converged another point is kept.
        status = Status.EARLY_STOPPED if status is Status.CONVERGED else status
        return replace(self._at_best(status, message), n_iter=solution.n_iter)

    def interrupted(self) -> Solution:
        """Return the solution to keep where an interrupt ended ``solve`` after its first iteration."""
        return self._at_best(Status.INTERRUPTED, f"interrupted after {len(self.history)} iterations")

    def _follow(self, params: Params, iteration: Iteration) -> bool:
        """Note an iteration that ended at params; return whether to stop."""
        criterion = iteration.value
        if self._validation is not None:
            cross_entropy, accuracy = self._validation.evaluate(*self._objective.unpack(params))
            iteration = iteration._replace(validation_cross_entropy=cross_entropy, validation_accuracy=accuracy)
            criterion = cross_entropy if self._early_stopping else criterion
        # In this order: where an interrupt comes between the two, the best iteration is in the history.
        self.history.append(iteration)
        self._note(len(self.history), criterion, params)
        return self._progress.on_iteration_end(params, iteration) or self._is_stalled()

    def _note(self, n_iter: int, criterion: float, params: Params) -> None:
        criterion = np.inf if np.isnan(criterion) else criterion  # of parameters that diverged
        # In one assignment, which no interrupt can cut in two.
        if self.best is None or criterion < self.best.criterion:
            self.best = Best(n_iter, criterion, params)
        self._lowest.append(self.best.criterion)

    def _is_stalled(self) -> bool:
        """Return whether the validation cross-entropy has stopped falling."""
        if not self._early_stopping or len(self._lowest) <= self._stop.n_iter_no_change:
            return False
        return not self._lowest[-1] < self._lowest[-1 - self._stop.n_iter_no_change] - (self._stop.gradient_tol)

    def _stopped_early(self, n_iter: int) -> str:
        since = f"in the last {self._stop.n_iter_no_change}"
        least = f"{self._stop.gradient_tol:.3g}"
        return f"stopped early after {n_iter} iterations: the validation cross-entropy fell by less than {least} {since}"

    def _at_best(self, status: Status, message: str) -> Solution:
        """Return the best point as a solution."""
        n_iter, _, params = self.best  # type: ignore[misc]
        value, gradient_norm = self.history[n_iter - 1][:2] if n_iter else (np.nan, np.nan)
        if np.isnan(gradient_norm):  # stochastic solvers meet each row at other parameters
            value, gradient = self._objective.value_and_gradient(params)
            gradient_norm = self._objective.gradient_norm(gradient)
        lowest = "validation cross-entropy" if self._early_stopping else "objective"
        message = f"{message}; kept iteration {n_iter}, of the lowest {lowest}"
        return Solution(params, value, gradient_norm, len(self.history), status, message, tuple(self.history))
