"""The course of a fit: its history, its best parameters, when to stop and what to keep.

What lives here: ``FitLoop``, which runs a solver and is its callback. What doesn't: the figures of a validation set
(``validation``), scikit-learn's callbacks and printed lines (``callbacks``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..objectives.linear import LinearObjective
from ..solvers import Iteration, Solution, Solver, StochasticSolver
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


class FitLoop:
    """Runs a solver, notes the figures of the validation set in the history, and keeps the best point.

    With early stopping the best point is the one of the lowest validation cross-entropy, the start included, and the fit ends
    when the lowest of ``n_iter_no_change`` iterations is not lower by ``tol`` than the lowest before them. Without, the solver
    says where the fit ends, and the best point, of the lowest objective, is kept of a fit that is interrupted.

    Parameters
    ----------
    objective : LinearObjective
    validation : ValidationSet or None
    report : callable
        Told of every iteration, the parameters reached and its full record; returns True to stop.
    early_stopping : bool
    tol : float or None
    n_iter_no_change : int

    Attributes
    ----------
    history : list of Iteration
    best : Best or None
    stopped : bool
        Whether ``report`` asked to stop, or early stopping did.
    """

    def __init__(
        self,
        objective: LinearObjective,
        validation: ValidationSet | None,
        report: Callable[[Params, Iteration], bool],
        *,
        early_stopping: bool,
        tol: float | None,
        n_iter_no_change: int,
    ) -> None:
        self._objective = objective
        self._validation = validation
        self._report = report
        self._early_stopping = early_stopping
        self._tol = tol
        self._n_iter_no_change = n_iter_no_change
        self._lowest: list[float] = []  # criterion until each iteration
        self.history: list[Iteration] = []
        self.best: Best | None = None
        self.stopped = False

    def solve(self, solver: Solver, start: Params, *, max_iter: int) -> tuple[Solution, bool]:
        """Return the solution to keep, and whether the fit ended well: converged, or stopped by a callback or early."""
        if self._early_stopping and self._validation is not None:
            self._note(0, self._validation.evaluate(*self._objective.unpack(start)).cross_entropy, start)
        options: dict = {"tol": self._tol, "max_iter": max_iter, "callback": self._follow}
        if isinstance(solver, StochasticSolver):  # whose own end looks at epochs, as that of early stopping does
            options["n_iter_no_change"] = self._n_iter_no_change
        solution = solver.solve(self._objective, start, **options)
        solution = replace(solution, history=tuple(self.history))
        # Epochs that were asked for are no failure, nor is an early-stopped fit whose solver ends before the validation does.
        ended_well = solution.converged or self.stopped or self._tol is None
        ended_well = ended_well or (self._early_stopping and len(self.history) < max_iter)
        if not self._early_stopping:
            return solution, ended_well
        message = self._stopped_early(solution.n_iter) if self._is_stalled() and not solution.converged else solution.message
        if self.best is None or self.best.n_iter == len(self.history):
            return replace(solution, message=message), ended_well
        return replace(self._at_best(message), n_iter=solution.n_iter), ended_well

    def interrupted(self) -> Solution:
        """Return the solution to keep where an interrupt ended ``solve`` after its first iteration."""
        return self._at_best(f"interrupted after {len(self.history)} iterations")

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
        self.stopped = self._report(params, iteration) or self._is_stalled()
        return self.stopped

    def _note(self, n_iter: int, criterion: float, params: Params) -> None:
        criterion = np.inf if np.isnan(criterion) else criterion  # of parameters that diverged
        # In one assignment, which no interrupt can cut in two.
        if self.best is None or criterion < self.best.criterion:
            self.best = Best(n_iter, criterion, params)
        self._lowest.append(self.best.criterion)

    def _is_stalled(self) -> bool:
        """Return whether the validation cross-entropy has stopped falling."""
        if not self._early_stopping or len(self._lowest) <= self._n_iter_no_change:
            return False
        return not self._lowest[-1] < self._lowest[-1 - self._n_iter_no_change] - (self._tol or 0.0)

    def _stopped_early(self, n_iter: int) -> str:
        since = f"in the last {self._n_iter_no_change}"
        least = f"{self._tol or 0:.3g}"
        return f"stopped early after {n_iter} iterations: the validation cross-entropy fell by less than {least} {since}"

    def _at_best(self, message: str) -> Solution:
        """Return the best point as a solution."""
        n_iter, _, params = self.best  # type: ignore[misc]
        value, gradient_norm = self.history[n_iter - 1][:2] if n_iter else (np.nan, np.nan)
        if np.isnan(gradient_norm):  # stochastic solvers meet each row at other parameters
            value, gradient = self._objective.value_and_gradient(params)
            gradient_norm = self._objective.gradient_norm(gradient)
        lowest = "validation cross-entropy" if self._early_stopping else "objective"
        message = f"{message}; kept iteration {n_iter}, of the lowest {lowest}"
        return Solution(params, value, gradient_norm, len(self.history), False, message, tuple(self.history))
