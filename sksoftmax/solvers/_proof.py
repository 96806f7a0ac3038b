"""Whether a point is near the optimum, for solvers whose own figures do not tell.

What lives here: ``Proof``, a bound or an estimate of what is left. What doesn't: the bound's derivation
(``objectives.duality_gap``), the tolerance of a gradient, and what solvers know by themselves.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..objectives.linear import LinearObjective
from ..objectives.preconditioner import Preconditioner

MAX_BYTES = 2**29


class Proof:
    """What is left to the optimum, by the duality gap, or else by the decrease that the class blocks of the Hessian promise.

    A gradient alone does not tell: its components are in the units of the columns, and along small or correlated columns much
    may be left where all of them are small.

    Parameters
    ----------
    objective : LinearObjective
    tol : float
        What is left may be ``tol`` of the objective by the bound, or ``tol / 5000`` nats by the estimate, which may be too low.

    Attributes
    ----------
    left : float
        What was found to be left at the last point asked for, in nats; inf if nothing is known.
    """

    def __init__(self, objective: LinearObjective, tol: float) -> None:
        self._objective, self._tol = objective, tol
        self.left = np.inf

    def holds(self, params: NDArray[np.float64], value: float, gradient: NDArray[np.float64]) -> bool:
        """Return whether a point is near the optimum."""
        if not self._objective.smooth:
            return False
        gap = self._objective.duality_gap(params)
        self.left = gap
        if gap <= max(self._tol * abs(value), self._objective.value_noise(value)):
            return True
        if not np.any(gradient):
            return True
        product = Preconditioner(self._objective, params, max_bytes=MAX_BYTES)(gradient)
        promised = 0.5 * float(gradient @ product)
        self.left = promised
        return promised <= max(self._tol / 5000, self._objective.value_noise(value) / 8)
