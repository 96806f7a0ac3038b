"""What a solver takes and returns besides an objective.

What lives here: the ``StoppingRule``, the ``Solution`` with the ``Status`` that it ends in, the ``Iteration`` records of its
history and the ``History`` that collects them. What doesn't: solvers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from ..objectives._contracts import Objective, Vector


class Iteration(NamedTuple):
    """One iteration as the history keeps it.

    Attributes
    ----------
    value : float
        Objective after the iteration (mean loss in nats plus alpha times the penalty). A stochastic solver takes each row's
        loss before the step that the row belongs to.
    gradient_norm : float
        Largest absolute component of its gradient; NaN where the solver does not compute it.
    seconds : float
        Since the solver started, with whatever its observer took.
    learning_rate : float or None
        Of the iteration; None for a solver that has none.
    validation_cross_entropy : float or None
        Weighted mean over the validation set, in nats, of the plain cross-entropy; filled in by the estimator, None where there
        is no validation set.
    validation_accuracy : float or None
        The same for the share of it that is predicted correctly.
    """

    value: float
    gradient_norm: float
    seconds: float
    learning_rate: float | None = None
    validation_cross_entropy: float | None = None
    validation_accuracy: float | None = None


Observer = Callable[[Vector, Iteration], bool]
"""Called after each iteration with the current parameters and its record. Return True to stop the solver.

It may keep the parameters: the solver does not write to that array again.
"""


@dataclass(frozen=True)
class StoppingRule:
    """When a solver ends.

    Parameters
    ----------
    tol : float or None, default=1e-4
        Bound on the largest absolute component of the gradient. Stochastic solvers say what it bounds, and take None for no
        bound.
    max_iter : int, default=1000
        Most iterations; an iteration of a stochastic solver is an epoch.
    n_iter_no_change : int, default=5
        Epochs in a row without improvement by ``tol`` after which a stochastic solver ends; of no effect on others.
    """

    tol: float | None = 1e-4
    max_iter: int = 1000
    n_iter_no_change: int = 5

    @property
    def gradient_tol(self) -> float:
        """``tol`` for a solver that needs one; zero for None."""
        return 0.0 if self.tol is None else self.tol


class Status(StrEnum):
    """How a solve ended; each is equal to its name in small letters, as ``"max_iter"``.

    Attributes
    ----------
    CONVERGED
        At the optimum, to the tolerance or to the precision of the numbers.
    MAX_ITER
        ``max_iter`` iterations were made, and the optimum was not reached.
    LINE_SEARCH_FAILED
        No lower point was found at the precision of the numbers, and nothing says that this is the optimum.
    NEWTON_STEP_UNSOLVED
        Conjugate gradients did not solve for the Newton step, by which the distance to the optimum is judged.
    KINK
        Steps are predicted to lower nothing, but the loss has kinks: no bound on what is left is known.
    SEPARABLE
        The classes are separated and nothing is penalised: there is no minimum.
    NO_IMPROVEMENT
        The loss of epochs has stopped falling, which is not yet the optimum.
    EPOCHS_MADE
        As many epochs were made as asked for, without a tolerance.
    STOPPED_BY_OBSERVER
        The observer, as a callback of the estimator, asked to stop.
    EARLY_STOPPED
        Early stopping ended the fit, or kept an earlier iteration than the last.
    INTERRUPTED
        By Ctrl-C.
    """

    CONVERGED = "converged"
    MAX_ITER = "max_iter"
    LINE_SEARCH_FAILED = "line_search_failed"
    NEWTON_STEP_UNSOLVED = "newton_step_unsolved"
    KINK = "kink"
    SEPARABLE = "separable"
    NO_IMPROVEMENT = "no_improvement"
    EPOCHS_MADE = "epochs_made"
    STOPPED_BY_OBSERVER = "stopped_by_observer"
    EARLY_STOPPED = "early_stopped"
    INTERRUPTED = "interrupted"

    @property
    def as_intended(self) -> bool:
        """Whether this is no failure: the optimum, or an end that the caller asked for."""
        return self in AS_INTENDED


AS_INTENDED = {
    Status.CONVERGED,
    Status.EPOCHS_MADE,
    Status.STOPPED_BY_OBSERVER,
    Status.EARLY_STOPPED,
    Status.INTERRUPTED,
}


@dataclass(frozen=True)
class Solution:
    """What a solver returns.

    Attributes
    ----------
    params : ndarray of shape (n_params,), float64
        The flat vector reached; the estimator keeps it as ``coef_`` and ``intercept_``.
    value : float
        The objective there: mean loss (nats) plus alpha times the penalty.
    gradient_norm : float
        Largest absolute component of the gradient there.
    n_iter : int
        Iterations made.
    status : Status
        How the solver ended, as a program reads it.
    message : str
        The same for people, with what is known of the distance to the optimum.
    history : tuple of Iteration
        One record per iteration.
    """

    params: Vector
    value: float
    gradient_norm: float
    n_iter: int
    status: Status
    message: str
    history: tuple[Iteration, ...]

    @property
    def converged(self) -> bool:
        """Whether the optimum is reached, to the tolerance or to the precision of the numbers."""
        return self.status is Status.CONVERGED

    def __repr__(self) -> str:
        return (
            f"Solution(converged={self.converged}, n_iter={self.n_iter}, value={self.value:.6g}, "
            f"gradient_norm={self.gradient_norm:.3g},\n"
            f"         status={self.status.value!r}, message={self.message!r},\n"
            f"         params=<{len(self.params)} numbers>, history=<{len(self.history)} iterations>)"
        )


class History:
    """Collects the history of one solve and asks the observer whether to go on.

    Attributes
    ----------
    iterations : list of Iteration
    stopped : bool
        Whether the observer asked to stop.
    """

    def __init__(self, observer: Observer | None, objective: Objective) -> None:
        self.iterations: list[Iteration] = []
        self.stopped = False
        self._observer = observer
        self._objective = objective
        self._began = time.perf_counter()

    def record(self, params: Vector, value: float, gradient: Vector | None, *, learning_rate: float | None = None) -> bool:
        """Add an iteration; return whether to stop."""
        gradient_norm = np.nan if gradient is None else self._objective.gradient_norm(gradient)
        iteration = Iteration(value, gradient_norm, time.perf_counter() - self._began, learning_rate)
        self.iterations.append(iteration)
        if self._observer is not None:
            self.stopped = bool(self._observer(params, iteration))
        return self.stopped

    def solution(self, params: Vector, value: float, gradient: Vector, *, status: Status, message: str) -> Solution:
        """Return the solution at the point reached."""
        if self.stopped and status is not Status.CONVERGED:
            status = Status.STOPPED_BY_OBSERVER
            message = f"stopped by a callback after {len(self.iterations)} iterations"
        return Solution(
            params=params,
            value=value,
            gradient_norm=self._objective.gradient_norm(gradient),
            n_iter=len(self.iterations),
            status=status,
            message=message,
            history=tuple(self.iterations),
        )
