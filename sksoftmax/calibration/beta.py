"""Beta calibration of two classes.

What lives here: ``BetaCalibration``. What doesn't: the logistic regression underneath (``_sigmoid``).
"""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from ..losses import Targets
from ._base import Calibrator
from ._sigmoid import class_shares, difference, finite_line, fit_sigmoid, log_sigmoid

ACTIVE_SETS: tuple[list[int], ...] = ([0, 1], [0], [1], [])
"""Candidate sets of free coefficients among a and b; the others are zero."""


class BetaCalibration(Calibrator):
    r"""Beta calibration of two classes: the maps that are optimal for beta-distributed scores; the identity is one of them.

    .. math:: \log \frac{p'}{1 - p'} = a \log p - b \log(1 - p) + c, \qquad a, b \geq 0

    with the given probability p of the second class, fitted by maximum likelihood. Non-negative a and b keep the map monotone.
    Unlike Platt's sigmoid of probabilities the family contains the identity (a = b = 1, c = 0), so that calibrated
    probabilities stay as they are.

    Where the logits separate the classes the likelihood has no maximum: the targets are then smoothed by the weight of one row,
    spread evenly over both classes, with a ``ConvergenceWarning``.

    Parameters
    ----------
    input : {"logits", "proba"}, default="logits"
        What the calibrator is given; not inferred from values. The logarithm of probabilities is taken; zeros are replaced by
        a third of the least positive one in the rows of the fit, or in their own row if that is less.

    Attributes
    ----------
    a_, b_, c_ : float
        Coefficients, a and b non-negative.
    classes_ : ndarray of shape (2,)
    n_features_in_ : int
        Columns of the logits, 1 or 2.

    References
    ----------
    Kull, Silva Filho & Flach (2017), "Beta calibration: a well-founded and easily implemented improvement on logistic
    calibration for binary classifiers".

    Examples
    --------
    >>> import numpy as np
    >>> from sksoftmax.calibration import BetaCalibration
    >>> rng = np.random.default_rng(0)
    >>> proba = rng.uniform(size=5000)
    >>> y = rng.uniform(size=5000) < proba
    >>> calibrator = BetaCalibration(input="proba").fit(proba, y)
    >>> print(round(calibrator.a_), round(calibrator.b_), abs(round(calibrator.c_)))
    1 1 0
    """

    two_classes_only: ClassVar[bool] = True

    a_: float
    b_: float
    c_: float

    def _fit(self, logits: NDArray, targets: Targets, total_weight: float) -> dict[str, Any]:
        logit, share = difference(logits[:, 1], logits[:, 0]), class_shares(targets)[0]
        # An infinite logit is a probability of 0 or 1 under every map: it does not depend on the coefficients.
        counts = np.isfinite(logit) & (targets.weight > 0)
        if not counts.any():
            return {"a_": 1.0, "b_": 1.0, "c_": 0.0}
        logit, share, weight = logit[counts], share[counts], targets.weight[counts]
        if logit[share < 1].max(initial=-np.inf) <= logit[share > 0].min(initial=np.inf):
            smoothing = 1 / (total_weight + 1)
            share = (1 - smoothing) * share + smoothing / 2
            message = "the logits separate the classes, so that the likelihood grows without bound; the targets are smoothed"
            warnings.warn(f"Beta calibration: {message} by {smoothing:.3g}.", ConvergenceWarning, stacklevel=4)
        # If p has the distribution Beta(α_y, β_y) within class y, the log-odds of the classes are linear in log p and log(1 -
        # p) with a = α_1 - α_0 and b = β_0 - β_1. The likelihood is concave: under the constraints a, b >= 0 its maximum is
        # also the maximum with the coefficients that are zero there left out. So the constrained maximum is the best of the
        # four sets' maxima that satisfy the constraints, and that of both coefficients if it does. (Kull et al. leave out the
        # first negative coefficient without trying the other.)
        columns = _columns(logit)
        best = None
        for free in ACTIVE_SETS:
            coef, intercept, loss = fit_sigmoid(columns[:, free], share, weight)
            if np.all(coef >= 0) and (best is None or loss < best[0]):
                both = np.zeros(2)
                both[free] = coef
                best = loss, both, intercept
                if len(free) == 2:
                    break
        assert best is not None  # the set without coefficients always satisfies the constraints
        _, (a, b), c = best
        return {"a_": float(a), "b_": float(b), "c_": c}

    def _transform(self, logits: NDArray) -> NDArray:
        logit = difference(logits[:, 1], logits[:, 0])
        with np.errstate(over="ignore"):
            line = _columns(np.nan_to_num(logit)) @ np.array([self.a_, self.b_]) + self.c_
        line = finite_line(line, logits.dtype)
        line = np.where(np.isinf(logit), logit, line)[:, None]
        return log_sigmoid(np.hstack([-line, line])).astype(logits.dtype, copy=False)


def _columns(logit: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log p and -log(1 - p), (n_rows, 2)."""
    return np.column_stack([log_sigmoid(logit), -log_sigmoid(-logit)])
