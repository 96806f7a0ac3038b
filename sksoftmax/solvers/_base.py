"""The contract of every solver.

What lives here: ``Solver``, and what several say or do alike. What doesn't: any algorithm, what a solver takes and returns
(``_solution``), and the contracts of objectives (``objectives._contracts``): a solver sees these and nothing of the data.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Generic, TypeVar

import numpy as np

from .._params import ParamsMixin
from ..objectives._contracts import Objective, Vector
from ._requirements import refuse_lacking, refuse_no_tol
from ._solution import History, Observer, Solution, StoppingRule

ObjectiveT = TypeVar("ObjectiveT", bound=Objective, contravariant=True)

COLUMNS = "the columns of X (sklearn.preprocessing.StandardScaler)"


class Solver(ParamsMixin, ABC, Generic[ObjectiveT]):
    """Contract of every solver: hyperparameters and ``minimise``; it reports iterations and never prints.

    A solver of one's own is a dataclass that inherits from this class and has ``minimise``.

    Attributes
    ----------
    requires : tuple of types
        The contracts (``objectives._contracts``) that an objective has to meet.
    takes_no_tol : bool
        Whether ``tol`` may be None: it then makes ``max_iter`` iterations.
    has_partial_fit : bool
        Whether it learns from one part of the data after another.
    benefits_from_rotation : bool
        Whether it does as well in coordinates that are a rotation of X's columns, fewer where X has fewer rows than columns.
    """

    requires: ClassVar[tuple[type, ...]] = (Objective,)
    takes_no_tol: ClassVar[bool] = False
    has_partial_fit: ClassVar[bool] = False
    benefits_from_rotation: ClassVar[bool] = True

    def start(self, objective: ObjectiveT) -> Vector:
        """Return where to start if nothing is known: zeros, unless the solver draws it."""
        return np.zeros(objective.n_params)

    def check(self, objective: ObjectiveT) -> None:
        """Do nothing if the objective meets all that the solver requires.

        Raises
        ------
        ValueError
            It does not; the message says what it lacks and what to use instead. Or a hyperparameter is out of its range.
        """
        refuse_lacking(objective, self.requires)

    def solve(self, objective: ObjectiveT, start: Vector, *, stop: StoppingRule, observer: Observer | None = None) -> Solution:
        """Minimise the objective from start.

        Parameters
        ----------
        objective : Objective
            That meets ``requires``.
        start : ndarray of shape (n_params,), float64
            Not modified.
        stop : StoppingRule
        observer : callable or None

        Returns
        -------
        Solution

        Raises
        ------
        ValueError
            The objective lacks what the solver requires, or there is no tolerance and the solver needs one. Nothing was
            evaluated before.
        """
        refuse_no_tol(stop.tol, self.takes_no_tol, self)
        self.check(objective)
        return self.minimise(objective, start, stop=stop, history=History(observer, objective))

    @abstractmethod
    def minimise(self, objective: ObjectiveT, start: Vector, *, stop: StoppingRule, history: History) -> Solution:
        """Do the work of ``solve``, whose parameters are checked: record every iteration, and end where the history says so."""

    def explain(self, solution: Solution, stop: StoppingRule) -> str:
        """Return what a warning says of a solution that is not as intended: its message, its gradient norm, and what helps."""
        reached = f"the gradient norm is {solution.gradient_norm:.3g}, the tolerance {stop.gradient_tol:.3g}"
        return f"{solution.message}: {reached}. {self._advise(solution, stop)}"

    def _advise(self, solution: Solution, stop: StoppingRule) -> str:
        return f"Increase the number of iterations (max_iter={stop.max_iter}), or scale {COLUMNS}, or use solver='auto'."


def advise_newton(solution: Solution, stop: StoppingRule) -> str:
    """Return what helps a solver that takes columns of any scale."""
    if solution.n_iter < stop.max_iter:
        return "Use a larger tol, or another solver, or a smaller C."
    scale = f", or scale {COLUMNS}" if solution.gradient_norm > stop.gradient_tol else ""
    return f"Increase the number of iterations (max_iter={stop.max_iter}){scale}, or use a smaller C."


def without_shift(objective: Objective, vector: Vector) -> Vector:
    """Return vector less its mean over the classes: the loss is the same, the penalty lower."""
    # Steps are orthogonal to shifts of all classes but for rounding: what a start has of them would stay.
    vector = vector.copy()
    objective.project_out_shift(vector)
    return vector
