"""Matrix scaling: a matrix and intercepts after the temperature.

What lives here: ``StructuredMatrixScaling``. What doesn't: its fit (``_scaling``, ``_regression``), and Dirichlet calibration,
whose ridge is around zero off the diagonal and without a temperature first (``dirichlet``).
"""

from __future__ import annotations

from typing import Any

from ..data.dataset import as_rows
from ..data.rows import score_rows
from ..losses import Targets
from ..solvers import Solution
from ._regression import Matrix, fit_matrix
from ._scaling import RegressionScaling


class StructuredMatrixScaling(RegressionScaling):
    r"""Structured matrix scaling (SMS): temperature, then a matrix and intercepts, with a ridge.

    .. math:: \mathrm{softmax}\bigl((I + \mathrm{diag}(v) + M) z' + b\bigr), \qquad
              z' = \log\Bigl(\tfrac{n}{n + 1} \mathrm{softmax}(z / T) + \tfrac{1}{n + 1} \tfrac{1}{K}\Bigr)

    T is the temperature of ``TemperatureScaling``, M has a zero diagonal, and v, M and b minimise the mean cross-entropy plus

    .. math:: s \Bigl( \tfrac{K}{n} (\lVert v \rVert^2 + \lVert b \rVert^2) + \tfrac{K (K - 1)}{n} \lVert M \rVert^2 \Bigr),

    a stronger ridge on the K(K - 1) parameters of M. Convex.

    Parameters
    ----------
    strength : float or "cv", default=1.0
        s, positive. ``"cv"`` selects from 0.01, 0.1, 1, 10 and 100 by the one-standard-error rule: the one closest to 1 whose
        cross-entropy in five folds exceeds the least by at most one standard error of the rows' differences.
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
    coef_ : ndarray of shape (n_classes, n_classes), float64
        I + diag(v) + M; row k makes the logit of class k.
    intercept_ : ndarray of shape (n_classes,), float64
        b.
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
    >>> from sksoftmax.calibration import StructuredMatrixScaling
    >>> rng = np.random.default_rng(0)
    >>> logits = rng.normal(size=(2000, 3))
    >>> mixed = logits @ [[1, 0, 0.8], [0, 1, 0], [0, 0, 1]]
    >>> y = (mixed + rng.gumbel(size=logits.shape)).argmax(axis=1)
    >>> StructuredMatrixScaling().fit(logits, y).predict_proba([[2.0, 0.0, 0.0]]).round(2)
    array([[0.62, 0.1 , 0.28]])
    """

    _mixes = True

    coef_: Matrix

    def _regress(self, z: Matrix, targets: Targets, ridge: float, temperature: float) -> tuple[dict[str, Any], Solution]:
        coef, intercept, solution = fit_matrix(
            z, targets, on_diagonal=ridge, off_diagonal=ridge * (targets.n_classes - 1), on_intercept=ridge
        )
        return {"coef_": coef, "intercept_": intercept}, solution

    def _apply(self, z: Matrix) -> Matrix:
        return score_rows(as_rows(z), self.coef_, self.intercept_, 1)  # a row's bits do not depend on the others, as BLAS's do
