"""Whether a point is near the optimum, for solvers whose own figures do not tell.

What lives here: ``Proof``, a bound or an estimate of what is left. What doesn't: the bound's derivation
(``objectives.duality_gap``), the tolerance of a gradient, and what solvers know by themselves.
"""

from __future__ import annotations

import numpy as np

from ..objectives._contracts import HasDual, HasPreconditioner, Objective
from ._base import Vector
from ._requirements import meets

MAX_BYTES = 2**29


class Proof:
    """What is left to the optimum, by the duality gap, or else by the decrease that the class blocks of the Hessian promise.

    A gradient alone does not tell: its components are in the units of the columns, and along small or correlated columns much
    may be left where all of them are small.

    Parameters
    ----------
    objective : Objective
    tol : float
        What is left may be ``tol`` of the objective by the bound, or ``tol / 5000`` nats by the estimate, which may be too low.

    Attributes
    ----------
    left : float
        What was found to be left at the last point asked for, in nats; inf if nothing is known.
    """

    def __init__(self, objective: Objective, tol: float) -> None:
        self._objective, self._tol = objective, tol
        self.left = np.inf

    def holds(self, params: Vector, value: float, gradient: Vector) -> bool:
        """Return whether a point is near the optimum."""
        if not self._objective.smooth:
            return False
        objective = self._objective
        dual, has_model = meets(objective, HasDual), meets(objective, HasPreconditioner)
        if not (dual or has_model):
            # The gradient alone tells.
            return objective.gradient_norm(gradient) <= self._tol
        self.left = gap = objective.duality_gap(params) if meets(objective, HasDual) else np.inf
        if gap <= max(self._tol * abs(value), self._objective.value_noise(value)):
            return True
        if not np.any(gradient):
            return True
        if not meets(objective, HasPreconditioner):
            return False
        product = objective.preconditioner(params, max_bytes=MAX_BYTES)(gradient)
        promised = 0.5 * float(gradient @ product)
        self.left = promised
        return promised <= max(self._tol / 5000, self._objective.value_noise(value) / 8)
