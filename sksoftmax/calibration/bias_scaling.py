"""Bias-corrected temperature scaling: one temperature and an intercept for each class.

What lives here: ``BiasCorrectedTemperatureScaling``. What doesn't: its fit (``_scaling``, ``_regression``).
"""

from __future__ import annotations

import sys
from typing import Any, Literal

from ..losses import Targets
from ..solvers import Solution
from ._regression import Matrix, fit_diagonal
from ._scaling import RegressionScaling


class BiasCorrectedTemperatureScaling(RegressionScaling):
    r"""Bias-corrected temperature scaling (BCTS): one temperature and an intercept for each class.

    .. math:: \mathrm{softmax}(z / T + b)

    T and b minimise the mean cross-entropy plus :math:`s \tfrac{K}{n} ((T_0 / T - 1)^2 + \lVert b \rVert^2)`, with the strength
    s, K classes, n rows and :math:`T_0` the temperature of ``TemperatureScaling``. The ridge keeps T and b finite where a class
    is missing or the rows are separable.

    Parameters
    ----------
    strength : float or "cv", default=0.01
        Multiplier of the ridge, positive; ``"cv"`` chooses it from 0.01, 0.1, 1, 10 and 100 as
        ``StructuredMatrixScaling`` does.
    input : {"logits", "proba"}, default="logits"
        What the calibrator is given; not inferred from values.

    Attributes
    ----------
    temperature_ : float
        T.
    input_mixing_ : float
        Share of the uniform distribution mixed into the probabilities before: as in ``TemperatureScaling``.
    intercept_ : ndarray of shape (n_classes,), float64
        b, with a mean of zero.
    strength_ : float
    n_iter_ : int
        Iterations of the solver.
    solution_ : sksoftmax.solvers.Solution
    classes_ : ndarray of shape (n_classes,)
    n_features_in_ : int

    References
    ----------
    Alexandari, Kundaje & Shrikumar (2020), "Maximum Likelihood with Bias-Corrected Calibration is Hard-To-Beat at Label Shift
    Adaptation".

    Examples
    --------
    >>> import numpy as np
    >>> from sksoftmax.calibration import BiasCorrectedTemperatureScaling
    >>> rng = np.random.default_rng(0)
    >>> logits = rng.normal(size=(5000, 3))
    >>> y = (logits + [1, 0, -1] + rng.gumbel(size=logits.shape)).argmax(axis=1)
    >>> calibrator = BiasCorrectedTemperatureScaling().fit(2 * logits, y)
    >>> round(calibrator.temperature_, 1), calibrator.intercept_.round(1)
    (2.0, array([ 1.,  0., -1.]))
    """

    _mixes = False

    def __init__(self, *, strength: float | Literal["cv"] = 0.01, input: Literal["logits", "proba"] = "logits") -> None:
        super().__init__(strength=strength, input=input)

    def _regress(self, z: Matrix, targets: Targets, ridge: float, temperature: float) -> tuple[dict[str, Any], Solution]:
        scale, intercept, solution = fit_diagonal(z, targets, on_scale=ridge, on_intercept=ridge, shared=True)
        # T / scale; if the scale is not positive, T is so large that the logits are nearly equal.
        temperature = temperature / max(float(scale[0]), sys.float_info.epsilon)
        return {"temperature_": min(temperature, sys.float_info.max), "intercept_": intercept}, solution

    def _apply(self, z: Matrix) -> Matrix:
        z += self.intercept_
        return z
