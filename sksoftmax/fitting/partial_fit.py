"""``partial_fit``: a model that learns from one part of the data after another.

What lives here: ``PartialFitState``, what is kept between the calls, and the pass that a call makes. What doesn't: the
validation of a part (``data.examples``) and the solver's own state (``solvers``).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..objectives.linear import LinearObjective
from ..solvers import Iteration, Solution, State, Status, StochasticSolver
from .problem import Problem

# Least total weight of a part of the data; the inverse is the most of all of them together.
LEAST_WEIGHT = 1e-300


@dataclass(frozen=True)
class PartialFitState:
    """State of ``partial_fit`` between calls; a call makes a new one, so that one that fails leaves the old.

    Attributes
    ----------
    n_rows : int
        Rows so far, those without weight left out.
    weight : float
        Their total weight.
    random_state : RandomState or None
        What shuffles the next part.
    kind : tuple
        The solver's class and whether vectors are in the order of dense rows.
    state : State or None
        That of the solver.
    """

    n_rows: int = 0
    weight: float = 0.0
    random_state: Any = None
    kind: tuple[type, bool] | None = None
    state: State | None = None

    def with_batch(self, n_rows: int, weight: float, random_state: Any) -> PartialFitState:
        """Return the state with one more part of the data counted, before its update.

        Raises
        ------
        ValueError
            The weights of a part, or of all of them, are beyond float64.
        """
        known = self.random_state if self.random_state is not None else random_state
        total = self.weight + weight
        if not (weight >= LEAST_WEIGHT and total <= 1 / LEAST_WEIGHT):
            raise ValueError(
                f"sample_weight must sum to at least {LEAST_WEIGHT:g} in each part of the data and at most "
                f"{1 / LEAST_WEIGHT:g} in all of them; got {weight:.3g} in this one and {total:.3g} in all."
            )
        return replace(self, n_rows=self.n_rows + n_rows, weight=total, random_state=known)

    def loss_scale(self, problem: Problem) -> float:
        """Return what the mean loss of a part counts beside the penalty, as a multiple.

        A row counts as much as its weight, whatever the others of its part weigh.
        """
        return (problem.total_weight / problem.n_weighted_rows) / (self.weight / self.n_rows)

    def update(
        self,
        objective: LinearObjective,
        solver: StochasticSolver,
        start: Callable[[], NDArray[np.float64]],
        *,
        loss_scale: float,
    ) -> tuple[PartialFitState, Solution]:
        """Return the state and the solution after a pass over the part that was counted last.

        Parameters
        ----------
        objective : LinearObjective
            Over the part's rows.
        solver : StochasticSolver
        start : callable
            Makes the parameters to begin with where there is no state yet, or one of another kind of solver.
        loss_scale : float
            As ``StochasticSolver.advance`` has it.
        """
        began = time.perf_counter()
        kind = (type(solver), objective.layout.class_major)
        if self.state is None or self.kind is None or self.kind[0] is not kind[0]:
            state = solver.begin(start())
        elif self.kind == kind:
            state = self.state.map(np.copy)
        else:  # dense rows after sparse ones, or sparse after dense
            state = self.state.map(objective.from_other_layout)
        state = solver.resume(state)
        loss = solver.advance(objective, state, loss_scale=loss_scale)
        value = loss + objective.penalty_value(state.params)
        solution = Solution(
            params=state.averaged_params,
            value=value,
            gradient_norm=np.nan,
            n_iter=state.n_epochs,
            status=Status.EPOCHS_MADE,
            message=f"{solver.name} made a pass over {objective.n_rows} rows, number {state.n_epochs}",
            history=(Iteration(value, np.nan, time.perf_counter() - began, state.learning_rate),),
        )
        return replace(self, kind=kind, state=state), solution
