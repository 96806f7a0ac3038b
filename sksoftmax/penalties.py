"""Penalties: functions of the coefficients, not of the intercept.

What lives here: the ``Penalty`` contract, the penalties and the table ``PENALTIES``. What doesn't: the strength, which is the
objective's ``alpha``, and how ``C`` becomes it (``classifier``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray


class Penalty(ABC):
    """Contract of every penalty on a flat float64 vector of coefficients: a smooth part and, perhaps, one with a proximal map.

    Attributes
    ----------
    is_smooth : bool
        Whether it has no other part than the smooth one.
    is_quadratic : bool
        Whether it is half of ``hessian_diagonal`` times squared distances, as the duality gap needs.
    is_rotation_invariant : bool
        Whether it is the same for coefficients in rotated coordinates of the features.
    commutes_with_class_mean : bool
        Whether it is least where the coefficients of all classes have the mean zero, given their differences.
    """

    is_smooth = True
    is_quadratic = False
    is_rotation_invariant = False
    commutes_with_class_mean = False

    @abstractmethod
    def value(self, coef: NDArray[np.float64]) -> float:
        """Return the penalty."""

    def smooth_value(self, coef: NDArray[np.float64]) -> float:
        """Return the smooth part of the penalty: all of it where ``is_smooth``."""
        return self.value(coef)

    def prox(self, coef: NDArray[np.float64], step: float) -> NDArray[np.float64]:
        r"""Return the proximal map of the other part h, :math:`\arg\min_u h(u) + \lVert u - w \rVert^2 / 2 t`, at step t.

        It is coef itself where there is no other part (Parikh & Boyd 2014, "Proximal Algorithms", section 1.1).
        """
        return coef

    @abstractmethod
    def gradient(self, coef: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the gradient of the smooth part, of coef's shape."""

    @abstractmethod
    def hessian_product(self, direction: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the Hessian of the smooth part times direction."""

    @abstractmethod
    def hessian_diagonal(self, n_coef: int) -> NDArray[np.float64]:
        """Return the diagonal of the smooth part's Hessian, of shape (n_coef,)."""

    @property
    def l2_strength(self) -> float:
        """λ such that the gradient of the penalty is λ · coef (the L2 strength): a gradient step multiplies coef by a factor.

        Raises
        ------
        ValueError
            The gradient is not a multiple of coef.
        """
        raise ValueError(f"Stochastic solvers need a penalty that shrinks all coefficients alike; got {type(self).__name__}.")


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

    is_quadratic = True
    is_rotation_invariant = True
    commutes_with_class_mean = True

    def value(self, coef: NDArray[np.float64]) -> float:
        return 0.5 * float(coef @ coef)

    def gradient(self, coef: NDArray[np.float64]) -> NDArray[np.float64]:
        return coef

    def hessian_product(self, direction: NDArray[np.float64]) -> NDArray[np.float64]:
        return direction

    def hessian_diagonal(self, n_coef: int) -> NDArray[np.float64]:
        return np.ones(n_coef)

    @property
    def l2_strength(self) -> float:
        return 1.0


class PriorL2(Penalty):
    r"""Half the weighted squared distance from a prior mean, :math:`\tfrac{1}{2} \sum_j \lambda_j (w_j - m_j)^2`.

    The negative logarithm of a Gaussian prior with mean m and precisions :math:`\lambda`. Not in ``PENALTIES``, since its
    arrays have the coefficients' length: calibrators construct it.

    Source: Hoerl & Kennard (1970), "Ridge Regression", section 5, where m is zero.

    Parameters
    ----------
    mean, weight : ndarray of shape (n_coef,), float64
        m and λ, in the order of the coefficients; weights are non-negative.

    Examples
    --------
    >>> import numpy as np
    >>> from sksoftmax.penalties import PriorL2
    >>> PriorL2(mean=np.array([1.0, 0.0]), weight=np.array([1.0, 10.0])).value(np.array([3.0, 2.0]))
    22.0
    """

    is_quadratic = True

    def __init__(self, mean: NDArray[np.float64], weight: NDArray[np.float64]) -> None:
        self.mean, self.weight = mean, weight

    def value(self, coef: NDArray[np.float64]) -> float:
        return 0.5 * float(self.weight @ np.square(coef - self.mean))

    def gradient(self, coef: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.weight * (coef - self.mean)

    def hessian_product(self, direction: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.weight * direction

    def hessian_diagonal(self, n_coef: int) -> NDArray[np.float64]:
        return self.weight


PENALTIES: dict[str, type[Penalty]] = {"l2": L2}
