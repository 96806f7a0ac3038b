"""The contract between an objective and what lowers it.

What lives here: ``Solver``, its ``Solution``, the ``Iteration`` records of its history and the ``History`` that collects them.
What doesn't: any algorithm. A solver sees the objective's public methods and nothing of the data.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._params import ParamsMixin
from ..objectives.linear import LinearObjective


class Iteration(NamedTuple):
    """One iteration as the history keeps it.

    Attributes
    ----------
    value : float
        Objective after the iteration (mean loss in nats plus alpha times the penalty). A stochastic solver takes each row's
        loss before the step that the row belongs to.
    gradient_norm : float
        Largest absolute component of its gradient; NaN where the solver does not know it.
    seconds : float
        Since the solver started, with whatever its callback took.
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


Callback = Callable[[NDArray[np.float64], Iteration], bool]
"""Told of each iteration, the parameters reached and its record; returns True to stop.

It may keep the parameters: the solver does not write to that array again.
"""


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
    converged : bool
        Whether the optimum is reached, to the tolerance or to the precision of the numbers.
    message : str
        Why the solver stopped.
    history : tuple of Iteration
        One record per iteration.
    """

    params: NDArray[np.float64]
    value: float
    gradient_norm: float
    n_iter: int
    converged: bool
    message: str
    history: tuple[Iteration, ...]

    def __repr__(self) -> str:
        return (
            f"Solution(converged={self.converged}, n_iter={self.n_iter}, value={self.value:.6g}, "
            f"gradient_norm={self.gradient_norm:.3g},\n"
            f"         message={self.message!r},\n"
            f"         params=<{len(self.params)} numbers>, history=<{len(self.history)} iterations>)"
        )


class History:
    """Collects the history of one solve and asks the callback whether to go on.

    Attributes
    ----------
    iterations : list of Iteration
    stopped : bool
        Whether the callback asked to stop.
    """

    def __init__(self, callback: Callback | None, objective: LinearObjective) -> None:
        self.iterations: list[Iteration] = []
        self.stopped = False
        self._callback = callback
        self._objective = objective
        self._began = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Since the solver started."""
        return time.perf_counter() - self._began

    def record(
        self,
        params: NDArray[np.float64],
        value: float,
        gradient: NDArray[np.float64] | None,
        *,
        learning_rate: float | None = None,
    ) -> bool:
        """Add an iteration; return whether to stop."""
        gradient_norm = np.nan if gradient is None else self._objective.gradient_norm(gradient)
        iteration = Iteration(value, gradient_norm, self.seconds, learning_rate)
        self.iterations.append(iteration)
        if self._callback is not None:
            self.stopped = bool(self._callback(params, iteration))
        return self.stopped

    def solution(
        self, params: NDArray[np.float64], value: float, gradient: NDArray[np.float64], *, converged: bool, message: str
    ) -> Solution:
        """Return the solution at the point reached."""
        if self.stopped and not converged:
            message = f"stopped by a callback after {len(self.iterations)} iterations"
        return Solution(
            params=params,
            value=value,
            gradient_norm=self._objective.gradient_norm(gradient),
            n_iter=len(self.iterations),
            converged=converged,
            message=message,
            history=tuple(self.iterations),
        )


class Solver(ParamsMixin, ABC):
    """Contract of every solver: hyperparameters and ``solve``; it reports iterations and never prints."""

    def start(self, objective: LinearObjective) -> NDArray[np.float64]:
        """Return where to start if nothing is known: zeros, unless the solver draws it."""
        return np.zeros(objective.n_params)

    @abstractmethod
    def solve(
        self,
        objective: LinearObjective,
        start: NDArray[np.float64],
        *,
        tol: Any,
        max_iter: int,
        callback: Callback | None = None,
    ) -> Solution:
        """Lower the objective from start.

        Parameters
        ----------
        objective : LinearObjective
        start : ndarray of shape (n_params,), float64
            Not modified.
        tol : float
            Bound on the largest absolute component of the gradient. Stochastic solvers say what it bounds, and take None for no
            bound.
        max_iter : int
            Most iterations; an iteration of a stochastic solver is an epoch.
        callback : callable or None

        Returns
        -------
        Solution

        Raises
        ------
        ValueError
            The solver needs a Hessian and the objective's loss has none; the message says what to use instead.
        """


def without_shift(objective: LinearObjective, vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return vector less its mean over the classes, which no step would change: the loss is the same, the penalty lower."""
    vector = vector.copy()
    objective.project_out_shift(vector)
    return vector


def observed_noise(
    objective: LinearObjective, value: float, new_value: float, gradient: NDArray[np.float64], step: NDArray[np.float64]
) -> float:
    """Return how much of the change of value along step, which ended at gradient, can only be rounding.

    A convex function rises by at most its slope at the end; of any other nothing can be said, and zero is returned. In float32
    the error is that of the logits, which no multiple of the value bounds.
    """
    if not objective.convex:
        return 0.0
    return max(0.0, new_value - value - float(gradient @ step))


def line_search(
    objective: LinearObjective,
    params: NDArray[np.float64],
    value: float,
    direction: NDArray[np.float64],
    slope: float,
    *,
    max_trials: int = 30,
) -> tuple[NDArray[np.float64], float, NDArray[np.float64]] | None:
    """Return point, value and gradient of the first step from 1 downwards of sufficient decrease, or None.

    A step that fails is followed by the minimum of the cubic through what is known, at least a tenth and at most four fifths
    of it. Sufficient is a decrease of 1e-4 of what the slope promises (Nocedal & Wright, "Numerical Optimization", chapter 3).
    Where the promise is below the rounding error of the value, not to rise beyond that error is enough, or that the slope at
    the end still falls by 1e-4 of that at the start, if the objective is convex, and so has fallen by as much.
    """
    rounding = objective.value_noise(value)
    step = 1.0
    for _ in range(max_trials):
        point = params + step * direction
        new_value, gradient = objective.value_and_gradient(point)
        new_slope = float(gradient @ direction)
        still_falls = objective.convex and new_slope <= 1e-4 * slope
        if new_value <= value + 1e-4 * step * slope + rounding or still_falls:
            return point, new_value, gradient
        step = min(max(cubic_minimum(step, new_value - value, slope, new_slope), step / 10), 0.8 * step)
    return None


def cubic_minimum(step: float, rise: float, slope: float, new_slope: float) -> float:
    """Return where the cubic with these slopes at 0 and step, and this rise between them, is least; zero if it overflows.

    Nocedal & Wright, "Numerical Optimization", equation 3.59.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        bend = slope + new_slope - 3 * rise / step
        root = np.sqrt(np.maximum(bend * bend - slope * new_slope, 0.0))
        least = step - step * (new_slope + root - bend) / (new_slope - slope + 2 * root)
    return float(least) if np.isfinite(least) else 0.0
