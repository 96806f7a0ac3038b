"""``partial_fit``: a model that learns from one part of the data after another.

What lives here: ``PartialFitState``, what is kept between the calls, and the pass that a call makes. What doesn't: the
validation of a part (``classifier``) and the solver's own state (``solvers``).
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


@dataclass(frozen=True)
class PartialFitState:
    """What the parts so far leave to the next one; a call makes a new one, so that one that fails leaves the old.

    Attributes
    ----------
    n_rows : int
        Rows met, those without weight left out.
    weight : float
        Their total weight.
    random_state : RandomState or None
        What shuffles the next part.
    kind : tuple
        The solver's class and whether vectors are in the order of dense rows.
    state : State or None
    """

    n_rows: int = 0
    weight: float = 0.0
    random_state: Any = None
    kind: tuple[type, bool] | None = None
    state: State | None = None

    def with_batch(self, n_rows: int, weight: float, random_state: Any) -> PartialFitState:
        """Return the stream with one more part, not yet learnt from."""
        known = self.random_state if self.random_state is not None else random_state
        return replace(self, n_rows=self.n_rows + n_rows, weight=self.weight + weight, random_state=known)

    def update(
        self,
        objective: LinearObjective,
        solver: StochasticSolver,
        start: Callable[[], NDArray[np.float64]],
        *,
        class_major: bool,
        loss_scale: float,
    ) -> tuple[PartialFitState, Solution]:
        """Return the stream and the solution after a pass over the part just met.

        Parameters
        ----------
        objective : LinearObjective
            Over the part's rows.
        solver : StochasticSolver
        start : callable
            Makes the parameters to begin with where there is no state yet, or one of another kind of solver.
        class_major : bool
            Whether the objective has coefficients in the order of dense rows.
        loss_scale : float
            As ``StochasticSolver.advance`` has it.
        """
        began = time.perf_counter()
        kind = (type(solver), class_major)
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
            history=(Iteration(value, np.nan, time.perf_counter() - began, state.rate),),
        )
        return replace(self, kind=kind, state=state), solution
