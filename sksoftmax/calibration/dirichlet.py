r"""Dirichlet calibration: a matrix on log-probabilities, without a temperature first.

What lives here: ``DirichletCalibration`` with the off-diagonal and intercept ridge. What doesn't: the regression
(``_regression``) and structured matrix scaling, whose ridge is around temperature scaling (``matrix_scaling``).
"""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from .._sklearn import Interval
from ..data.dataset import as_rows
from ..data.rows import score_rows
from ..losses import Targets
from ._base import Calibrator
from ._regression import Matrix, fit_matrix, log_proba, warn_unless_converged

# Ridge on the diagonal, so that it is finite for separable rows; negligible for others.
ON_DIAGONAL = 1e-5
LEAST_PROBA = float(np.finfo(np.float64).eps)


class DirichletCalibration(Calibrator):
    r"""Dirichlet calibration with off-diagonal and intercept regularisation (ODIR).

    .. math:: \mathrm{softmax}(W \log p + b), \qquad p = \mathrm{softmax}(z)

    with the least mean cross-entropy plus
    :math:`\tfrac{\lambda}{K (K - 1)} \sum_{k \ne j} W_{kj}^2 + \tfrac{\mu}{K} \lVert b \rVert^2` and
    :math:`10^{-5} \sum_k (W_{kk} - 1)^2`, which keeps the diagonal finite where the rows are separable. Probabilities below
    2.2e-16 are raised to it. The map is exact for predicted probabilities that have a Dirichlet distribution within each class.

    Parameters
    ----------
    off_diagonal : float, default=10.0
        λ, positive. The best value depends on the numbers of rows and classes: tune it, or use ``StructuredMatrixScaling``.
    intercept : float or None, default=None
        μ, positive; None takes λ.
    input : {"logits", "proba"}, default="logits"
        What the calibrator is given; not inferred from values.

    Attributes
    ----------
    coef_ : ndarray of shape (n_classes, n_classes), float64
        W; row k makes the logit of class k.
    intercept_ : ndarray of shape (n_classes,), float64
        b.
    n_iter_ : int
        Iterations of the solver.
    solution_ : sksoftmax.solvers.Solution
    classes_ : ndarray of shape (n_classes,)
    n_features_in_ : int

    References
    ----------
    Kull, Perello-Nieto, Kängsepp, Silva Filho, Song & Flach (2019), "Beyond temperature scaling: Obtaining well-calibrated
    multiclass probabilities with Dirichlet calibration".

    Examples
    --------
    >>> import numpy as np
    >>> from sksoftmax.calibration import DirichletCalibration
    >>> rng = np.random.default_rng(0)
    >>> logits = rng.normal(size=(2000, 3))
    >>> y = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    >>> calibrator = DirichletCalibration().fit(3 * logits, y)
    >>> calibrator.predict_proba([[3.0, 0.0, 0.0]]).round(2)
    array([[0.59, 0.22, 0.19]])
    """

    _parameter_constraints: ClassVar[dict] = {
        **Calibrator._parameter_constraints,
        "off_diagonal": [Interval(Real, 0, None, closed="neither")],
        "intercept": [Interval(Real, 0, None, closed="neither"), None],
    }

    coef_: Matrix
    intercept_: Matrix

    def __init__(
        self,
        *,
        off_diagonal: float = 10.0,
        intercept: float | None = None,
        input: Literal["logits", "proba"] = "logits",
    ) -> None:
        super().__init__(input=input)
        self.off_diagonal = off_diagonal
        self.intercept = intercept

    # If p has a Dirichlet distribution with parameters α_k within class k of frequency π_k, then by Bayes' rule
    #     log P(k | p) = Σ_j (α_kj - 1) log p_j + log π_k - log B(α_k) + const,
    # which is linear in log p: W = α - 1, b_k = log π_k - log B(α_k) (Kull et al. 2019). The fit is a multinomial
    # regression on log p, whose gradient is in ``_regression``.

    def _fit(self, logits: NDArray, targets: Targets, total_weight: float) -> dict[str, Any]:
        n_classes = targets.n_classes
        on_intercept = self.off_diagonal if self.intercept is None else self.intercept
        coef, intercept, solution = fit_matrix(
            _floored(logits),
            targets,
            on_diagonal=ON_DIAGONAL,
            off_diagonal=self.off_diagonal / (n_classes * (n_classes - 1)),
            on_intercept=on_intercept / n_classes,
        )
        warn_unless_converged(self, solution)
        return {"coef_": coef, "intercept_": intercept, "n_iter_": solution.n_iter, "solution_": solution}

    def _transform(self, logits: NDArray) -> NDArray:
        calibrated = score_rows(as_rows(_floored(logits)), self.coef_, self.intercept_, 1)
        return calibrated.astype(logits.dtype, copy=False)


def _floored(logits: NDArray) -> Matrix:
    """Return log-probabilities of at least log(LEAST_PROBA)."""
    rows = log_proba(logits, 1.0)
    return np.maximum(rows, np.log(LEAST_PROBA), out=rows)
