"""Schedules: what the learning rate of a stochastic solver is multiplied by, step after step.

``SGD(schedule=...)`` takes a name in ``SCHEDULES`` or an object, as ``InverseScaling(power=0.5)``, whose parameters are
searched as ``solver__schedule__power``. A schedule of one's own is a subclass of ``Schedule``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .._params import ParamsMixin

__all__ = ["SCHEDULES", "Constant", "Cosine", "InverseScaling", "Schedule", "StepDecay"]


# A minibatch's gradient has noise at the optimum too: at a constant rate η plain SGD ends in a neighbourhood of it whose size
# is about proportional to η. Rates with Σ η_t = ∞ and Σ η_t² < ∞ shrink it to the optimum (Robbins & Monro 1951): the first so
# that any start is left behind, the second so that the noise adds up to something finite. For t^-power both hold if ½ < power ≤
# 1.
#
# A factor depends on the number of steps and epochs alone, so that a pass's rates are computed before it and kernels get them
# as an array. Rates that fall when the loss does not ("adaptive" of scikit-learn's SGDClassifier) were not taken: losses of
# epochs are noisy, and would decide more than when a fit ends. Nor was its "optimal", η₀ / (1 + α η₀ t): with minibatches and a
# weak penalty it begins to fall later than most fits end.


class Schedule(ParamsMixin, ABC):
    """Contract of every schedule: factors of the learning rate.

    Time is measured in steps and in epochs. An epoch is a pass over the rows of a ``fit``, or one call of ``partial_fit``.
    """

    @abstractmethod
    def factors(self, first_step: int, epochs: NDArray[np.float64], n_epochs: int | None) -> NDArray[np.float64]:
        """Return what multiplies the learning rate in each step of a pass.

        Parameters
        ----------
        first_step : int
            Steps made before the pass.
        epochs : ndarray of shape (n_steps,), float64
            Epochs, whole and begun, before each step of the pass.
        n_epochs : int or None
            Epochs of the whole fit; None in ``partial_fit``, where the number is unknown.
        """


@dataclass
class Constant(Schedule):
    """The learning rate as it is.

    Examples
    --------
    >>> import numpy as np
    >>> from sksoftmax.solvers.schedules import Constant
    >>> Constant().factors(0, np.array([0.0, 0.5]), n_epochs=1)
    array([1., 1.])
    """

    def factors(self, first_step: int, epochs: NDArray[np.float64], n_epochs: int | None) -> NDArray[np.float64]:
        return np.ones(len(epochs))


@dataclass
class InverseScaling(Schedule):
    r"""A rate that falls with a power of the number of steps, :math:`(1 + t / \text{delay})^{-\text{power}}`.

    With ``power`` in (0.5, 1] the rates satisfy the conditions of Robbins & Monro: SGD reaches the optimum of a convex
    objective. With averaging 0.5 is enough.

    Parameters
    ----------
    power : float, default=0.5
        Non-negative.
    delay : float, default=100.0
        Steps until the rate has fallen to ``2**-power``; positive.

    References
    ----------
    Robbins & Monro (1951), "A Stochastic Approximation Method".
    Bottou (2012), "Stochastic Gradient Descent Tricks".

    Examples
    --------
    >>> import numpy as np
    >>> from sksoftmax.solvers.schedules import InverseScaling
    >>> InverseScaling(power=1.0, delay=2.0).factors(0, np.zeros(3), n_epochs=None)
    array([1.        , 0.66666667, 0.5       ])
    """

    power: float = 0.5
    delay: float = 100.0

    def factors(self, first_step: int, epochs: NDArray[np.float64], n_epochs: int | None) -> NDArray[np.float64]:
        if not (self.power >= 0 and self.delay > 0):
            raise ValueError(f"InverseScaling needs power >= 0 and delay > 0, got {self.power!r} and {self.delay!r}.")
        # 1 + t / delay, not t: the first steps are of the rate itself, and the fall begins at about ``delay`` steps.
        return (1 + (first_step + np.arange(len(epochs))) / self.delay) ** -self.power


@dataclass
class Cosine(Schedule):
    r"""Half a cosine from one to ``final``, :math:`f + (1 - f)(1 + \cos(\pi e / E)) / 2` after e of E epochs.

    Parameters
    ----------
    n_epochs : int or None, default=None
        E; None is the estimator's ``max_iter``. Needed for ``partial_fit``. Beyond it the factor stays at ``final``.
    final : float, default=0.0
        f, in [0, 1].

    References
    ----------
    Loshchilov & Hutter (2017), "SGDR: Stochastic Gradient Descent with Warm Restarts", without the restarts.

    Examples
    --------
    >>> import numpy as np
    >>> from sksoftmax.solvers.schedules import Cosine
    >>> Cosine().factors(0, np.array([0.0, 5.0, 10.0]), n_epochs=10)
    array([1. , 0.5, 0. ])
    """

    n_epochs: int | None = None
    final: float = 0.0

    def factors(self, first_step: int, epochs: NDArray[np.float64], n_epochs: int | None) -> NDArray[np.float64]:
        total = n_epochs if self.n_epochs is None else self.n_epochs
        if total is None:
            raise ValueError("the number of epochs is unknown in partial_fit: pass Cosine(n_epochs=...).")
        if not (total > 0 and 0 <= self.final <= 1):
            raise ValueError(f"Cosine needs n_epochs > 0 and final in [0, 1], got {total!r} and {self.final!r}.")
        # e counts parts of epochs: the rate falls with each step, and the last step's is one step away from ``final``.
        return self.final + (1 - self.final) * 0.5 * (1 + np.cos(np.pi * np.minimum(epochs / total, 1.0)))


@dataclass
class StepDecay(Schedule):
    r"""A rate that is multiplied by ``factor`` after every ``every`` epochs.

    Parameters
    ----------
    every : int, default=10
        Epochs, positive.
    factor : float, default=0.1
        In (0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> from sksoftmax.solvers.schedules import StepDecay
    >>> StepDecay(every=2, factor=0.5).factors(0, np.array([0.0, 1.9, 2.0, 4.0]), n_epochs=None)
    array([1.  , 1.  , 0.5 , 0.25])
    """

    every: int = 10
    factor: float = 0.1

    def factors(self, first_step: int, epochs: NDArray[np.float64], n_epochs: int | None) -> NDArray[np.float64]:
        if not (self.every > 0 and 0 < self.factor <= 1):
            raise ValueError(f"StepDecay needs every > 0 and factor in (0, 1], got {self.every!r} and {self.factor!r}.")
        return self.factor ** np.floor(epochs / self.every)


SCHEDULES: dict[str, type[Schedule]] = {
    "constant": Constant,
    "invscaling": InverseScaling,
    "cosine": Cosine,
    "step": StepDecay,
}
