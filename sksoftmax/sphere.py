r"""The objective of weights on the unit sphere.

.. math:: F(V) = \sum_i w_i \, \ell \Big( y_i, \frac{(M + V)_k^\top x_i}{\lVert (M + V)_k \rVert} \Big)_{k = 1 \ldots K}

What lives here: the normalisation, its derivative, and where it starts. What doesn't: rows of unit length, which a loss
prepares, and the sum over them (``objective``).

M is the start: the directions in which the loss falls where all cosines are zero, near those of the classes' means. Parameters
count from there, so that solvers may begin at zeros as they do elsewhere, where weights have no direction.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .objective import Objective

Vector = NDArray[np.float64]


class SphereObjective(Objective):
    """The mean loss of cosines, without penalty and intercept; see the module's formula.

    Parameters
    ----------
    rows : RowBlocks
        Of unit length.
    loss, penalty, **options
        As ``Objective`` has them.
    alpha, fit_intercept
        Of no effect: the penalty is the same everywhere, and cosines have no intercept.
    """

    on_sphere = True

    def __init__(self, rows: Any, loss: Any, penalty: Any, alpha: float, *, fit_intercept: bool, **options: Any) -> None:
        super().__init__(rows, loss, penalty, 0.0, fit_intercept=False, **options)
        _, gradient = super().value_and_gradient(np.zeros(self.n_params))
        self._start, _ = self._normalised(-gradient)

    def value_and_gradient(self, params: Vector) -> tuple[float, Vector]:
        unit, norms = self._normalised(self._start + params)
        value, gradient = super().value_and_gradient(unit)
        steep, weights = self._split(gradient)[0], self._split(unit)[0]
        # Only what is orthogonal to a weight turns it.
        steep -= (steep * weights).sum(axis=self._axis, keepdims=True) * weights
        steep /= norms
        return value, gradient

    def pack(self, coef: NDArray, intercept: NDArray) -> Vector:
        return super().pack(coef, intercept) - self._start

    def unpack(self, params: NDArray) -> tuple[NDArray, NDArray]:
        return super().unpack(self._normalised(self._start + params)[0])

    def sample(self) -> NDArray[np.int64]:
        """Raise a ValueError: steps from a few rows would have to be taken on the sphere."""
        raise ValueError("Weights on the unit sphere take no steps from minibatches; use solver='lbfgs'.")

    @property
    def _axis(self) -> int:
        return 1 if self._rows.class_major else 0

    def _normalised(self, params: Vector) -> tuple[Vector, Vector]:
        """Return weights of unit length, flat, and the lengths they had; a weight of zeros stays."""
        weights = self._split(params)[0]
        norms = np.linalg.norm(weights, axis=self._axis, keepdims=True)
        norms[norms == 0] = 1
        return (weights / norms).ravel(), norms
