"""Penalties: functions of the coefficients alone, never of the intercept.

What lives here: the ``Penalty`` contract, the penalties and the table ``PENALTIES``. What doesn't: the strength, which is the
objective's ``alpha``, and how ``C`` becomes it (``classifier``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray


class Penalty(ABC):
    """Contract of every penalty on a flat float64 vector of coefficients."""

    @abstractmethod
    def value(self, coef: NDArray[np.float64]) -> float:
        """Return the penalty."""

    @abstractmethod
    def gradient(self, coef: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the gradient of the smooth part, of coef's shape."""

    @abstractmethod
    def hessian_product(self, direction: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the Hessian of the smooth part times direction."""

    @abstractmethod
    def hessian_diagonal(self, n_coef: int) -> NDArray[np.float64]:
        """Return the diagonal of the smooth part's Hessian, of shape (n_coef,)."""


class L2(Penalty):
    r"""Half the squared Euclidean norm, :math:`\tfrac{1}{2} \sum_{kj} W_{kj}^2`.

    Source: Hoerl & Kennard (1970), "Ridge Regression".

    Examples
    --------
    >>> import numpy as np
    >>> from sksoftmax.penalties import L2
    >>> L2().value(np.array([3.0, 4.0]))
    12.5
    """

    def value(self, coef: NDArray[np.float64]) -> float:
        return 0.5 * float(coef @ coef)

    def gradient(self, coef: NDArray[np.float64]) -> NDArray[np.float64]:
        return coef

    def hessian_product(self, direction: NDArray[np.float64]) -> NDArray[np.float64]:
        return direction

    def hessian_diagonal(self, n_coef: int) -> NDArray[np.float64]:
        return np.ones(n_coef)


PENALTIES: dict[str, type[Penalty]] = {"l2": L2}
