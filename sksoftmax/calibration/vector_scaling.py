"""Vector scaling: a factor and an intercept for each class, with or without mixing in of the uniform distribution.

What lives here: ``VectorScaling`` and ``StructuredVectorScaling``. What doesn't: their fit (``_scaling``, ``_regression``).
"""

from __future__ import annotations

from typing import Any, Literal

from ..losses import Targets
from ..solvers import Solution
from ._regression import Matrix, fit_diagonal
from ._scaling import RegressionScaling


class _DiagonalScaling(RegressionScaling):
    scale_: Matrix

    def _regress(self, z: Matrix, targets: Targets, ridge: float, temperature: float) -> tuple[dict[str, Any], Solution]:
        scale, intercept, solution = fit_diagonal(z, targets, on_scale=ridge, on_intercept=ridge, shared=False)
        return {"scale_": scale, "intercept_": intercept}, solution

    def _apply(self, z: Matrix) -> Matrix:
        z *= self.scale_
        z += self.intercept_
        return z


class VectorScaling(_DiagonalScaling):
    r"""Vector scaling (VS): a factor and an intercept for each class.

    .. math:: \mathrm{softmax}(v \circ \log \mathrm{softmax}(z / T) + b)

    T is the temperature of ``TemperatureScaling``; v and b then minimise the mean cross-entropy plus
    :math:`s \tfrac{K}{n} (\lVert v - 1 \rVert^2 + \lVert b \rVert^2)`, with strength s, K classes and n rows. The ridge keeps
    v and b finite where a class is missing or the rows are separable. Log-probabilities are scaled, not logits: the map is
    invariant to a number added to all logits of a row.

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
    scale_, intercept_ : ndarray of shape (n_classes,), float64
        v and b.
    strength_ : float
    n_iter_ : int
        Iterations of the solver.
    solution_ : sksoftmax.solvers.Solution
    classes_ : ndarray of shape (n_classes,)
    n_features_in_ : int

    References
    ----------
    Guo, Pleiss, Sun & Weinberger (2017), "On Calibration of Modern Neural Networks".

    Examples
    --------
    >>> import numpy as np
    >>> from sksoftmax.calibration import VectorScaling
    >>> rng = np.random.default_rng(0)
    >>> logits = rng.normal(size=(5000, 3))
    >>> y = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    >>> calibrator = VectorScaling().fit(logits + [2, 0, 0], y)
    >>> calibrator.intercept_.round(1)
    array([-1. ,  0.4,  0.6])
    """

    _mixes = False

    def __init__(self, *, strength: float | Literal["cv"] = 0.01, input: Literal["logits", "proba"] = "logits") -> None:
        super().__init__(strength=strength, input=input)


class StructuredVectorScaling(_DiagonalScaling):
    r"""Structured vector scaling (SVS): temperature, then a factor and an intercept for each class, with a ridge.

    .. math:: \mathrm{softmax}(v \circ z' + b), \qquad
              z' = \log\Bigl(\tfrac{n}{n + 1} \mathrm{softmax}(z / T) + \tfrac{1}{n + 1} \tfrac{1}{K}\Bigr)

    T is the temperature of ``TemperatureScaling``; v and b minimise the mean cross-entropy plus
    :math:`s \tfrac{K}{n} (\lVert v - 1 \rVert^2 + \lVert b \rVert^2)`. The fewer the rows, the closer to temperature scaling.

    Parameters
    ----------
    strength : float or "cv", default=1.0
        s, positive; ``"cv"`` chooses it from 0.01, 0.1, 1, 10 and 100 as ``StructuredMatrixScaling`` does.
    input : {"logits", "proba"}, default="logits"
        What the calibrator is given; not inferred from values.

    Attributes
    ----------
    temperature_ : float
        T.
    input_mixing_ : float
        Share of the uniform distribution mixed into the probabilities before: as in ``TemperatureScaling``.
    mixing_ : float
        1 / (n + 1), n the sum of the sample weights.
    scale_, intercept_ : ndarray of shape (n_classes,), float64
        v and b.
    strength_ : float
    n_iter_ : int
        Iterations of the solver.
    solution_ : sksoftmax.solvers.Solution
    classes_ : ndarray of shape (n_classes,)
    n_features_in_ : int

    References
    ----------
    Berta, Holzmüller, Jordan & Bach (2025), "Structured Matrix Scaling for Multi-Class Calibration", arXiv 2511.03685.

    Examples
    --------
    >>> import numpy as np
    >>> from sksoftmax.calibration import StructuredVectorScaling
    >>> rng = np.random.default_rng(0)
    >>> logits = rng.normal(size=(1000, 3))
    >>> y = (logits * [2, 1, 1] + rng.gumbel(size=logits.shape)).argmax(axis=1)
    >>> calibrator = StructuredVectorScaling().fit(logits, y)
    >>> calibrator.predict_proba([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]).round(2)
    array([[0.68, 0.16, 0.16],
           [0.2 , 0.57, 0.23]])
    """

    _mixes = True
